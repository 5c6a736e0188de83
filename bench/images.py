"""Root file systems, OCI images made of them, and a registry on loopback that serves them."""

import gzip
import hashlib
import http.client
import io
import json
import os
import socket
import subprocess
import tarfile
import time

APPLETS = "sh true cat ls id sleep echo".split()
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+"


def busybox():
    """The path of a statically linked busybox."""
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.path.exists(path):
            return path
    raise SystemExit("bench: busybox is missing (Debian: apt install busybox-static)")


def busybox_layer():
    """A tar of a root file system with busybox, owned by root."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("bin", "dev", "etc", "proc", "sys", "tmp", "root", "run"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        for name, text in (("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"), ("etc/group", b"root:x:0:\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
        entry = tar.gettarinfo(busybox(), "bin/busybox")
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        with open(busybox(), "rb") as file:
            tar.addfile(entry, file)
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    return out.getvalue()


def unpack(layer, directory):
    """The same root file system as a directory, for those who take no image."""
    os.makedirs(directory, exist_ok=True)
    subprocess.run(["tar", "-x", "--no-same-owner", "-C", directory], input=layer, check=True)


def big_layers(directory, count, megabytes):
    """`count` layers of real files of this machine, `megabytes` in all before compression. Paths of .tar.gz files."""
    share = megabytes * 1_000_000 // count
    lists, size = [[]], 0
    for top in ("/usr/lib", "/usr/share", "/usr/bin", "/usr/include"):
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                info = os.lstat(path)
                if info.st_size > 20_000_000 or "\n" in path:
                    continue
                if size + info.st_size > share:
                    if len(lists) == count:
                        break
                    lists.append([])
                    size = 0
                size += info.st_size + 512
                lists[-1].append(path.lstrip("/"))
    made = []
    for number, names in enumerate(lists[:count]):
        path = f"{directory}/layer{number}.tar.gz"
        command = "tar -C / --owner=0 --group=0 --no-recursion -c -T - | gzip -6 > " + path
        subprocess.run(command, shell=True, check=True, input="\n".join(names).encode(), stderr=subprocess.DEVNULL)
        made.append(path)
    return made


def as_zstd(layers):
    """The same layers compressed with zstd. Paths of .tar.zst files."""
    made = []
    for path in layers:
        made.append(path.removesuffix(".gz") + ".zst")
        subprocess.run(f"gzip -dc {path} | zstd -q -3 -o {made[-1]}", shell=True, check=True)
    return made


def diff_id(path):
    """The digest of the tar in a layer, and the layer's compression."""
    kind = "zstd" if path.endswith(".zst") else "gzip"
    digest = hashlib.sha256()
    with subprocess.Popen([kind, "-dc", path], stdout=subprocess.PIPE) as plain:
        while piece := plain.stdout.read(1 << 20):
            digest.update(piece)
    return "sha256:" + digest.hexdigest(), kind


class Registry:
    """docker-registry on a free port of loopback; `directory` holds its files."""

    def __init__(self, directory):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        config = f"{directory}/registry.yml"
        with open(config, "w") as file:
            json.dump({
                "version": "0.1",
                "log": {"level": "error", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": f"{directory}/registry"}},
                "http": {"addr": self.address},
            }, file)
        self.blobs = {}  # URLs of the layers of each image pushed
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(["docker-registry", "serve", config], **quiet)
        host, port = self.address.split(":")
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("bench: docker-registry does not answer")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def call(self, method, path, body=b"", headers=()):
        connection = http.client.HTTPConnection(self.address)
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"registry: {method} {path}: {answer.status}")
        return answer

    def blob(self, name, data, digest):
        where = self.call("POST", f"/v2/{name}/blobs/uploads/").getheader("Location")
        path = "/" + where.split("/", 3)[3] if where.startswith("http") else where
        path += ("&" if "?" in path else "?") + f"digest={digest}"
        self.call("PUT", path, data, {"Content-Type": "application/octet-stream"})

    def push(self, name, tag, layers, env=()):
        """Pushes an image of compressed layers (paths). Returns its reference and the bytes of its layers."""
        entries, diff_ids = [], []
        for path in layers:
            with open(path, "rb") as file:
                digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0)
                self.blob(name, file, digest)
            of_tar, kind = diff_id(path)
            entries.append({"mediaType": LAYER + kind, "digest": digest, "size": os.path.getsize(path)})
            diff_ids.append(of_tar)
        config = json.dumps({
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
            "os": "linux",
            "config": {"Cmd": ["sh"], "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", *env]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }).encode()
        digest = "sha256:" + hashlib.sha256(config).hexdigest()
        self.blob(name, config, digest)
        manifest = json.dumps({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest, "size": len(config)},
            "layers": entries,
        }).encode()
        self.call("PUT", f"/v2/{name}/manifests/{tag}", manifest, {"Content-Type": MANIFEST})
        self.blobs[f"{name}:{tag}"] = [f"http://{self.address}/v2/{name}/blobs/{entry['digest']}" for entry in entries]
        return f"{self.address}/{name}:{tag}", sum(entry["size"] for entry in entries)
