//! Flags of `run` and `create` that this version refuses.

use super::later::{Later, refused};

refused! {
    /// Podman's other flags of `run` and `create`.
    CreateLater, REFUSED
}

const NO_PODS: &str = "groups of containers are not in this version; --network, --ipc and --pid container:NAME share namespaces with a container";
const NO_NETWORKS: &str =
    "networks with addresses of their own are not in this version; see --network";
const OWN_IDS: &str =
    "root is you and subordinate ids follow; --userns=keep-id makes you another user";
const NO_SYSTEMD: &str =
    "systemd as pid 1 needs cgroups and mounts of its own; --init runs a small init";

const REFUSED: &[Later] = &[
    Later::value("chrootdirs").hint("the program sees the container's own root only"),
    Later::value("decryption-key")
        .hint("encrypted images cannot be read; decrypt it with skopeo copy first"),
    // Podman itself ignores it: there is no content trust to disable.
    Later::harmless("disable-content-trust"),
    Later::value("gidmap").hint(OWN_IDS),
    Later::value("init-ctr").hint(NO_PODS),
    Later::value("ip").hint(NO_NETWORKS),
    Later::value("ip6").hint(NO_NETWORKS),
    Later::value("mac-address").hint(NO_NETWORKS),
    Later::value("network-alias").hint(NO_NETWORKS),
    Later::switch("oom-kill-disable"),
    Later::unless("pod", &[""]).hint(NO_PODS),
    Later::value("pod-id-file").hint(NO_PODS),
    Later::value("rdt-class").hint("cache classes are made by root, in /sys/fs/resctrl"),
    Later::value("requires"),
    Later::switch("rmi"),
    Later::unless("sdnotify", &["container", "ignore"]),
    Later::unless("seccomp-policy", &["default", ""])
        .hint("an image does not choose its own filter; give one with --security-opt seccomp=FILE"),
    Later::value("shm-size-systemd").hint(NO_SYSTEMD),
    Later::value("subgidname").hint(OWN_IDS),
    Later::value("subuidname").hint(OWN_IDS),
    // Programs that are no systemd run the same with true and false.
    Later::unless("systemd", &["true", "false"]).hint(NO_SYSTEMD),
    Later::value("uidmap").hint(OWN_IDS),
];
