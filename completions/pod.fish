# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_pod_global_optspecs
    string join \n h/help
end

function __fish_pod_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_pod_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_pod_using_subcommand
    set -l cmd (__fish_pod_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c pod -n "__fish_pod_needs_command" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_needs_command" -f -a "run" -d 'Run a command in a new container'
complete -c pod -n "__fish_pod_needs_command" -f -a "create" -d 'Make a container and do not start it'
complete -c pod -n "__fish_pod_needs_command" -f -a "start" -d 'Start containers again'
complete -c pod -n "__fish_pod_needs_command" -f -a "stop" -d 'Stop running containers'
complete -c pod -n "__fish_pod_needs_command" -f -a "restart" -d 'Stop containers and start them again'
complete -c pod -n "__fish_pod_needs_command" -f -a "kill" -d 'Send a signal to running containers'
complete -c pod -n "__fish_pod_needs_command" -f -a "rename" -d 'Give a container another name'
complete -c pod -n "__fish_pod_needs_command" -f -a "rm" -d 'Remove containers'
complete -c pod -n "__fish_pod_needs_command" -f -a "exec" -d 'Run a process in a running container'
complete -c pod -n "__fish_pod_needs_command" -f -a "attach" -d 'Join the terminal or output of a running container'
complete -c pod -n "__fish_pod_needs_command" -f -a "wait" -d 'Wait until containers end, and print their exit statuses'
complete -c pod -n "__fish_pod_needs_command" -f -a "commit" -d 'Make an image of a container'
complete -c pod -n "__fish_pod_needs_command" -f -a "export" -d 'Write a container\'s files as a tar'
complete -c pod -n "__fish_pod_needs_command" -f -a "diff" -d 'Show what a container or an image changed'
complete -c pod -n "__fish_pod_needs_command" -f -a "mount" -d 'Mount the files of containers, inside unshare'
complete -c pod -n "__fish_pod_needs_command" -f -a "unmount" -d 'Undo mount'
complete -c pod -n "__fish_pod_needs_command" -f -a "umount" -d 'Undo mount'
complete -c pod -n "__fish_pod_needs_command" -f -a "unshare" -d 'Run a command as root of your user namespace'
complete -c pod -n "__fish_pod_needs_command" -f -a "ps" -d 'List containers'
complete -c pod -n "__fish_pod_needs_command" -f -a "logs" -d 'Show what containers wrote'
complete -c pod -n "__fish_pod_needs_command" -f -a "inspect" -d 'Show everything known of containers and images'
complete -c pod -n "__fish_pod_needs_command" -f -a "port" -d 'List published ports'
complete -c pod -n "__fish_pod_needs_command" -f -a "pull" -d 'Fetch images from a registry'
complete -c pod -n "__fish_pod_needs_command" -f -a "import" -d 'Make an image of a file system in a tar'
complete -c pod -n "__fish_pod_needs_command" -f -a "save" -d 'Save images to an archive or a directory'
complete -c pod -n "__fish_pod_needs_command" -f -a "load" -d 'Load images from an archive or a directory'
complete -c pod -n "__fish_pod_needs_command" -f -a "push" -d 'Send an image to a registry, an archive or a directory'
complete -c pod -n "__fish_pod_needs_command" -f -a "images" -d 'List images'
complete -c pod -n "__fish_pod_needs_command" -f -a "tag" -d 'Give an image more names'
complete -c pod -n "__fish_pod_needs_command" -f -a "untag" -d 'Take names from an image, or all of them'
complete -c pod -n "__fish_pod_needs_command" -f -a "history" -d 'Show how an image was made'
complete -c pod -n "__fish_pod_needs_command" -f -a "rmi" -d 'Remove images or their names'
complete -c pod -n "__fish_pod_needs_command" -f -a "search" -d 'Search registries for images'
complete -c pod -n "__fish_pod_needs_command" -f -a "login" -d 'Log in to a registry'
complete -c pod -n "__fish_pod_needs_command" -f -a "logout" -d 'Log out of a registry'
complete -c pod -n "__fish_pod_needs_command" -f -a "info" -d 'Show this host, the store and the settings in force'
complete -c pod -n "__fish_pod_needs_command" -f -a "system" -d 'Look at pod itself'
complete -c pod -n "__fish_pod_needs_command" -f -a "version" -d 'Show the version'
complete -c pod -n "__fish_pod_needs_command" -f -a "image" -d 'Manage images'
complete -c pod -n "__fish_pod_needs_command" -f -a "container" -d 'Manage containers'
complete -c pod -n "__fish_pod_needs_command" -f -a "manifest" -d 'Manage lists of images for several platforms'
complete -c pod -n "__fish_pod_using_subcommand run" -l sig-proxy -d 'Pass signals on to the container (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l name -d 'Name of the container (default: a made-up one)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -s a -l attach -d 'Connect stdin, stdout or stderr only (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -s l -l label -d 'Label, NAME=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l label-file -d 'File with a label on each line (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand run" -l annotation -d 'Annotation, NAME=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l cidfile -d 'Write the container\'s id to a file that does not exist yet' -r -F
complete -c pod -n "__fish_pod_using_subcommand run" -l pidfile -d 'Write the pid of the container\'s first process to a file' -r -F
complete -c pod -n "__fish_pod_using_subcommand run" -l pull -d 'When to ask the registry: always, missing, never, newer' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l log-driver -d 'Where the container\'s output goes: k8s-file, none, passthrough' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l log-opt -d 'Option of the log, NAME=VALUE: path, max-size, tag (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l entrypoint -d 'Replace the image\'s entry point: a word, or a JSON list of words' -r
complete -c pod -n "__fish_pod_using_subcommand run" -s e -l env -d 'Variable: NAME=VALUE, NAME (the host\'s value) or PREFIX* (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l env-file -d 'File with a variable on each line (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand run" -l unsetenv -d 'Remove a variable of the image (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l http-proxy -d 'Pass the host\'s proxy variables on (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -s u -l user -d 'User and group, by name or number' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l group-add -d 'Additional group (can be repeated); keep-groups keeps yours' -r
complete -c pod -n "__fish_pod_using_subcommand run" -s w -l workdir -d 'Working directory' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l init -d 'Run a small init that reaps processes and passes signals on' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l stop-signal -d 'Signal that asks the container to end (default TERM)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l stop-timeout -d 'Seconds between that signal and the kill (default 10)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l timeout -d 'Seconds the container may run' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l tz -d 'Time zone, or "local" for the host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l umask -d 'Mask of permissions for new files, octal (default 0022)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l ulimit -d 'Limit, NAME=SOFT[:HARD] (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l oom-score-adj -d 'How readily the kernel kills the container when memory runs out, -1000 to 1000' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l preserve-fds -d 'Pass descriptors 3 to 3+N-1 on' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l detach-keys -d 'Keys that leave the container running (default ctrl-p,ctrl-q)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -s v -l volume -d 'Mount a directory or file of this host (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l mount -d 'Mount, in long form: type=bind|tmpfs|devpts,… (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l tmpfs -d 'Mount an empty file system in memory (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l read-only -d 'Make the container\'s own files read-only' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l read-only-tmpfs -d 'With --read-only: keep /tmp, /run and the like writable (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l image-volume -d 'What the image\'s volumes become: bind, tmpfs, ignore' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l shm-size -d 'Size of /dev/shm (default 65536000)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l device -d 'Device of this host (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l network -l net -d 'pasta, slirp4netns, host, none, container:NAME or ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand run" -s p -l publish -d 'Publish a port (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l expose -d 'Expose a port or range (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -s h -l hostname -d 'Host name inside (default: the first 12 digits of the id)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l add-host -d 'Line of /etc/hosts (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l no-hosts -d 'Leave the image\'s /etc/hosts alone' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l dns -d 'Name server (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l dns-search -d 'Domain to search for short names (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l dns-option -l dns-opt -d 'Option of /etc/resolv.conf (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l cap-add -d 'Capability to add, or ALL (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l cap-drop -d 'Capability to drop, or ALL (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l privileged -d 'All capabilities and devices, no filter of system calls' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l security-opt -d 'no-new-privileges, seccomp=FILE|unconfined, mask=, unmask=, … (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l sysctl -d 'Kernel parameter of the container\'s namespaces (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l userns -d 'User namespace: host (you are root), keep-id[:uid=,gid=], nomap' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l pid -d 'Process namespace: private, host, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l ipc -d 'IPC namespace: private, host, none, shareable, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l uts -d 'Host name namespace: private, host, container:NAME' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l cgroupns -d 'Cgroup namespace: private, host, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l platform -d 'Platform of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l arch -d 'Architecture of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l os -d 'Operating system of the image' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l variant -d 'Variant of the architecture' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand run" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand run" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand run" -s d -l detach -d 'Return as soon as the container runs, and print its id'
complete -c pod -n "__fish_pod_using_subcommand run" -l replace -d 'Remove a container of the same name first'
complete -c pod -n "__fish_pod_using_subcommand run" -l rm -d 'Remove the container when it has ended'
complete -c pod -n "__fish_pod_using_subcommand run" -s i -l interactive -d 'Keep stdin open'
complete -c pod -n "__fish_pod_using_subcommand run" -s t -l tty -d 'Give the container a terminal'
complete -c pod -n "__fish_pod_using_subcommand run" -s q -l quiet -d 'Do not show the progress of a pull'
complete -c pod -n "__fish_pod_using_subcommand run" -l rootfs -d 'Use a directory instead of an image'
complete -c pod -n "__fish_pod_using_subcommand run" -l unsetenv-all -d 'Remove all variables of the image'
complete -c pod -n "__fish_pod_using_subcommand run" -s P -l publish-all -d 'Publish all exposed ports on free ports of the host'
complete -c pod -n "__fish_pod_using_subcommand run" -l no-hostname -d 'Leave the image\'s /etc/hostname alone'
complete -c pod -n "__fish_pod_using_subcommand run" -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand create" -l name -d 'Name of the container (default: a made-up one)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -s a -l attach -d 'Connect stdin, stdout or stderr only (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -s l -l label -d 'Label, NAME=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l label-file -d 'File with a label on each line (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand create" -l annotation -d 'Annotation, NAME=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l cidfile -d 'Write the container\'s id to a file that does not exist yet' -r -F
complete -c pod -n "__fish_pod_using_subcommand create" -l pidfile -d 'Write the pid of the container\'s first process to a file' -r -F
complete -c pod -n "__fish_pod_using_subcommand create" -l pull -d 'When to ask the registry: always, missing, never, newer' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l log-driver -d 'Where the container\'s output goes: k8s-file, none, passthrough' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l log-opt -d 'Option of the log, NAME=VALUE: path, max-size, tag (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l entrypoint -d 'Replace the image\'s entry point: a word, or a JSON list of words' -r
complete -c pod -n "__fish_pod_using_subcommand create" -s e -l env -d 'Variable: NAME=VALUE, NAME (the host\'s value) or PREFIX* (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l env-file -d 'File with a variable on each line (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand create" -l unsetenv -d 'Remove a variable of the image (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l http-proxy -d 'Pass the host\'s proxy variables on (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -s u -l user -d 'User and group, by name or number' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l group-add -d 'Additional group (can be repeated); keep-groups keeps yours' -r
complete -c pod -n "__fish_pod_using_subcommand create" -s w -l workdir -d 'Working directory' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l init -d 'Run a small init that reaps processes and passes signals on' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l stop-signal -d 'Signal that asks the container to end (default TERM)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l stop-timeout -d 'Seconds between that signal and the kill (default 10)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l timeout -d 'Seconds the container may run' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l tz -d 'Time zone, or "local" for the host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l umask -d 'Mask of permissions for new files, octal (default 0022)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l ulimit -d 'Limit, NAME=SOFT[:HARD] (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l oom-score-adj -d 'How readily the kernel kills the container when memory runs out, -1000 to 1000' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l preserve-fds -d 'Pass descriptors 3 to 3+N-1 on' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l detach-keys -d 'Keys that leave the container running (default ctrl-p,ctrl-q)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -s v -l volume -d 'Mount a directory or file of this host (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l mount -d 'Mount, in long form: type=bind|tmpfs|devpts,… (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l tmpfs -d 'Mount an empty file system in memory (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l read-only -d 'Make the container\'s own files read-only' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l read-only-tmpfs -d 'With --read-only: keep /tmp, /run and the like writable (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l image-volume -d 'What the image\'s volumes become: bind, tmpfs, ignore' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l shm-size -d 'Size of /dev/shm (default 65536000)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l device -d 'Device of this host (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l network -l net -d 'pasta, slirp4netns, host, none, container:NAME or ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand create" -s p -l publish -d 'Publish a port (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l expose -d 'Expose a port or range (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -s h -l hostname -d 'Host name inside (default: the first 12 digits of the id)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l add-host -d 'Line of /etc/hosts (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l no-hosts -d 'Leave the image\'s /etc/hosts alone' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l dns -d 'Name server (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l dns-search -d 'Domain to search for short names (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l dns-option -l dns-opt -d 'Option of /etc/resolv.conf (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l cap-add -d 'Capability to add, or ALL (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l cap-drop -d 'Capability to drop, or ALL (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l privileged -d 'All capabilities and devices, no filter of system calls' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l security-opt -d 'no-new-privileges, seccomp=FILE|unconfined, mask=, unmask=, … (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l sysctl -d 'Kernel parameter of the container\'s namespaces (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l userns -d 'User namespace: host (you are root), keep-id[:uid=,gid=], nomap' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l pid -d 'Process namespace: private, host, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l ipc -d 'IPC namespace: private, host, none, shareable, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l uts -d 'Host name namespace: private, host, container:NAME' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l cgroupns -d 'Cgroup namespace: private, host, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l platform -d 'Platform of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l arch -d 'Architecture of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l os -d 'Operating system of the image' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l variant -d 'Variant of the architecture' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand create" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand create" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand create" -l replace -d 'Remove a container of the same name first'
complete -c pod -n "__fish_pod_using_subcommand create" -l rm -d 'Remove the container when it has ended'
complete -c pod -n "__fish_pod_using_subcommand create" -s i -l interactive -d 'Keep stdin open'
complete -c pod -n "__fish_pod_using_subcommand create" -s t -l tty -d 'Give the container a terminal'
complete -c pod -n "__fish_pod_using_subcommand create" -s q -l quiet -d 'Do not show the progress of a pull'
complete -c pod -n "__fish_pod_using_subcommand create" -l rootfs -d 'Use a directory instead of an image'
complete -c pod -n "__fish_pod_using_subcommand create" -l unsetenv-all -d 'Remove all variables of the image'
complete -c pod -n "__fish_pod_using_subcommand create" -s P -l publish-all -d 'Publish all exposed ports on free ports of the host'
complete -c pod -n "__fish_pod_using_subcommand create" -l no-hostname -d 'Leave the image\'s /etc/hostname alone'
complete -c pod -n "__fish_pod_using_subcommand create" -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand start" -s f -l filter -d 'Start containers that do not run and fit (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand start" -l detach-keys -d 'Keys that leave the container running (default ctrl-p,ctrl-q)' -r
complete -c pod -n "__fish_pod_using_subcommand start" -l sig-proxy -d 'Pass signals on to the container (default: true with --attach)' -r
complete -c pod -n "__fish_pod_using_subcommand start" -l all -d 'Start all containers that do not run'
complete -c pod -n "__fish_pod_using_subcommand start" -s a -l attach -d 'Connect stdout and stderr, and end with the container\'s exit status'
complete -c pod -n "__fish_pod_using_subcommand start" -s i -l interactive -d 'Connect stdin too'
complete -c pod -n "__fish_pod_using_subcommand start" -s l -l latest -d 'Start the container created last'
complete -c pod -n "__fish_pod_using_subcommand start" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand stop" -s t -l time -d 'Seconds to wait before the kill, -1 for ever (default: the container\'s own, 10)' -r
complete -c pod -n "__fish_pod_using_subcommand stop" -l cidfile -d 'File with a container\'s id (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand stop" -s f -l filter -d 'Stop running containers that fit (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand stop" -s a -l all -d 'Stop all running containers'
complete -c pod -n "__fish_pod_using_subcommand stop" -s i -l ignore -d 'Pass over containers that do not exist'
complete -c pod -n "__fish_pod_using_subcommand stop" -s l -l latest -d 'Stop the container created last'
complete -c pod -n "__fish_pod_using_subcommand stop" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand restart" -s t -l time -d 'Seconds to wait before the kill, -1 for ever (default: the container\'s own, 10)' -r
complete -c pod -n "__fish_pod_using_subcommand restart" -l cidfile -d 'File with a container\'s id (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand restart" -s f -l filter -d 'Restart containers that fit (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand restart" -s a -l all -d 'Restart all containers, whatever their state'
complete -c pod -n "__fish_pod_using_subcommand restart" -s l -l latest -d 'Restart the container created last'
complete -c pod -n "__fish_pod_using_subcommand restart" -l running -d 'Restart only those that run'
complete -c pod -n "__fish_pod_using_subcommand restart" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand kill" -s s -l signal -d 'Signal to send, by name or number' -r
complete -c pod -n "__fish_pod_using_subcommand kill" -l cidfile -d 'File with a container\'s id (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand kill" -s a -l all -d 'Signal all running containers'
complete -c pod -n "__fish_pod_using_subcommand kill" -s l -l latest -d 'Signal the container created last'
complete -c pod -n "__fish_pod_using_subcommand kill" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand rename" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand rm" -s t -l time -d 'With --force: seconds to wait before the kill, -1 for ever (default 10)' -r
complete -c pod -n "__fish_pod_using_subcommand rm" -l cidfile -d 'File with a container\'s id (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand rm" -l filter -d 'Remove containers that fit (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand rm" -s a -l all -d 'Remove all containers'
complete -c pod -n "__fish_pod_using_subcommand rm" -s f -l force -d 'Remove running containers too; a missing one is no failure'
complete -c pod -n "__fish_pod_using_subcommand rm" -s i -l ignore -d 'Pass over containers that do not exist'
complete -c pod -n "__fish_pod_using_subcommand rm" -s l -l latest -d 'Remove the container created last'
complete -c pod -n "__fish_pod_using_subcommand rm" -s v -l volumes -d 'Remove the anonymous volumes too (they go with the container in any case)'
complete -c pod -n "__fish_pod_using_subcommand rm" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand exec" -l detach-keys -d 'Keys that leave the process running (default ctrl-p,ctrl-q)' -r
complete -c pod -n "__fish_pod_using_subcommand exec" -s e -l env -d 'Variable: NAME=VALUE, NAME (the host\'s value) or PREFIX* (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand exec" -l env-file -d 'File with a variable on each line (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand exec" -l preserve-fds -d 'Pass descriptors 3 to 3+N-1 on' -r
complete -c pod -n "__fish_pod_using_subcommand exec" -s u -l user -d 'User and group, by name or number' -r
complete -c pod -n "__fish_pod_using_subcommand exec" -s w -l workdir -d 'Working directory' -r
complete -c pod -n "__fish_pod_using_subcommand exec" -s d -l detach -d 'Leave the process running, and print the session\'s id'
complete -c pod -n "__fish_pod_using_subcommand exec" -s i -l interactive -d 'Connect stdin'
complete -c pod -n "__fish_pod_using_subcommand exec" -s l -l latest -d 'Run in the container created last'
complete -c pod -n "__fish_pod_using_subcommand exec" -l privileged -d 'All capabilities, no filter of system calls'
complete -c pod -n "__fish_pod_using_subcommand exec" -s t -l tty -d 'Give the process a terminal'
complete -c pod -n "__fish_pod_using_subcommand exec" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand attach" -l detach-keys -d 'Keys that leave the container running (default ctrl-p,ctrl-q)' -r
complete -c pod -n "__fish_pod_using_subcommand attach" -l sig-proxy -d 'Pass signals on to the container (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand attach" -s l -l latest -d 'Join the container created last'
complete -c pod -n "__fish_pod_using_subcommand attach" -l no-stdin -d 'Do not connect stdin'
complete -c pod -n "__fish_pod_using_subcommand attach" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand wait" -l condition -d 'What to wait for: created, running, paused, stopped, exited, … (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand wait" -l ignore -d 'Print -1 for containers that do not exist'
complete -c pod -n "__fish_pod_using_subcommand wait" -s l -l latest -d 'Wait for the container created last'
complete -c pod -n "__fish_pod_using_subcommand wait" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand commit" -s a -l author -d 'Who made the image' -r
complete -c pod -n "__fish_pod_using_subcommand commit" -s c -l change -d 'Instruction that changes the image\'s settings: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR with its value (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand commit" -s f -l format -d 'Format of manifest and settings: oci or docker' -r
complete -c pod -n "__fish_pod_using_subcommand commit" -l iidfile -d 'File to write the image\'s id to' -r -F
complete -c pod -n "__fish_pod_using_subcommand commit" -s m -l message -d 'Comment of the image, with --format docker' -r
complete -c pod -n "__fish_pod_using_subcommand commit" -l include-volumes -d 'Make the container\'s volumes volumes of the image'
complete -c pod -n "__fish_pod_using_subcommand commit" -s p -l pause -d 'Stop the container\'s processes meanwhile'
complete -c pod -n "__fish_pod_using_subcommand commit" -s q -l quiet -d 'Say nothing but the image\'s id'
complete -c pod -n "__fish_pod_using_subcommand commit" -s s -l squash -d 'Make one layer of the container and its image'
complete -c pod -n "__fish_pod_using_subcommand commit" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand export" -s o -l output -d 'File to write to (default: stdout, which must not be a terminal)' -r -F
complete -c pod -n "__fish_pod_using_subcommand export" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand diff" -l format -d 'Print "json" instead of lines' -r
complete -c pod -n "__fish_pod_using_subcommand diff" -s l -l latest -d 'Look at the container created last'
complete -c pod -n "__fish_pod_using_subcommand diff" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand mount" -l format -d 'Print "json" instead of lines' -r
complete -c pod -n "__fish_pod_using_subcommand mount" -s a -l all -d 'Mount all containers'
complete -c pod -n "__fish_pod_using_subcommand mount" -s l -l latest -d 'Mount the container created last'
complete -c pod -n "__fish_pod_using_subcommand mount" -l no-trunc -d 'Show whole ids'
complete -c pod -n "__fish_pod_using_subcommand mount" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand unmount" -s a -l all -d 'Unmount all containers'
complete -c pod -n "__fish_pod_using_subcommand unmount" -s f -l force -d 'Also what is in use, as soon as it is not'
complete -c pod -n "__fish_pod_using_subcommand unmount" -s l -l latest -d 'Unmount the container created last'
complete -c pod -n "__fish_pod_using_subcommand unmount" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand umount" -s a -l all -d 'Unmount all containers'
complete -c pod -n "__fish_pod_using_subcommand umount" -s f -l force -d 'Also what is in use, as soon as it is not'
complete -c pod -n "__fish_pod_using_subcommand umount" -s l -l latest -d 'Unmount the container created last'
complete -c pod -n "__fish_pod_using_subcommand umount" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand unshare" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand ps" -s f -l filter -d 'Show only containers that fit: KEY=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand ps" -l format -d 'Print with a Go template; "json" for JSON, "table ..." for columns' -r
complete -c pod -n "__fish_pod_using_subcommand ps" -s n -l last -d 'Show the N containers created last, whatever their state' -r
complete -c pod -n "__fish_pod_using_subcommand ps" -l sort -d 'Sort by command, created, id, image, names, runningfor, size or status' -r
complete -c pod -n "__fish_pod_using_subcommand ps" -s w -l watch -d 'Show again every SECONDS' -r
complete -c pod -n "__fish_pod_using_subcommand ps" -s a -l all -d 'Show all containers, not only those that run'
complete -c pod -n "__fish_pod_using_subcommand ps" -s l -l latest -d 'Show the container created last, whatever its state'
complete -c pod -n "__fish_pod_using_subcommand ps" -l no-trunc -d 'Do not shorten ids and commands'
complete -c pod -n "__fish_pod_using_subcommand ps" -l noheading -l noheadings -d 'Leave the header out'
complete -c pod -n "__fish_pod_using_subcommand ps" -l ns -d 'Show namespaces'
complete -c pod -n "__fish_pod_using_subcommand ps" -s p -l pod -d 'Show the pod of each container'
complete -c pod -n "__fish_pod_using_subcommand ps" -s q -l quiet -d 'Print ids only'
complete -c pod -n "__fish_pod_using_subcommand ps" -s s -l size -d 'Show the size of each container\'s files'
complete -c pod -n "__fish_pod_using_subcommand ps" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand logs" -l since -d 'Show what was written after: a time, or how long ago (10m)' -r
complete -c pod -n "__fish_pod_using_subcommand logs" -l tail -d 'Show the last N lines, -1 for all' -r
complete -c pod -n "__fish_pod_using_subcommand logs" -l until -d 'Show what was written before: a time, or how long ago' -r
complete -c pod -n "__fish_pod_using_subcommand logs" -s f -l follow -d 'Go on until the container ends'
complete -c pod -n "__fish_pod_using_subcommand logs" -s l -l latest -d 'Show the log of the container created last'
complete -c pod -n "__fish_pod_using_subcommand logs" -s n -l names -d 'Put the container\'s name before each line'
complete -c pod -n "__fish_pod_using_subcommand logs" -s t -l timestamps -d 'Put the time before each line'
complete -c pod -n "__fish_pod_using_subcommand logs" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand inspect" -s f -l format -d 'Print with a Go template; "json" for JSON' -r
complete -c pod -n "__fish_pod_using_subcommand inspect" -s t -l type -d 'Look only at: container, image, all' -r
complete -c pod -n "__fish_pod_using_subcommand inspect" -s l -l latest -d 'Show the container created last'
complete -c pod -n "__fish_pod_using_subcommand inspect" -s s -l size -d 'Count the sizes of the containers\' files'
complete -c pod -n "__fish_pod_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand port" -s a -l all -d 'Show the ports of all running containers'
complete -c pod -n "__fish_pod_using_subcommand port" -s l -l latest -d 'Show the ports of the container created last'
complete -c pod -n "__fish_pod_using_subcommand port" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand pull" -l policy -d 'When to ask the registry: always, missing, never, newer' -r
complete -c pod -n "__fish_pod_using_subcommand pull" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand pull" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand pull" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand pull" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand pull" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand pull" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand pull" -l platform -d 'Platform of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand pull" -l arch -d 'Architecture of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand pull" -l os -d 'Operating system of the image' -r
complete -c pod -n "__fish_pod_using_subcommand pull" -l variant -d 'Variant of the architecture' -r
complete -c pod -n "__fish_pod_using_subcommand pull" -s a -l all-tags -d 'Pull every tag of the repository'
complete -c pod -n "__fish_pod_using_subcommand pull" -s q -l quiet -d 'Print the image ID only'
complete -c pod -n "__fish_pod_using_subcommand pull" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand import" -l arch -d 'Architecture of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand import" -s c -l change -d 'Instruction that sets what the image runs: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR with its value (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand import" -s m -l message -d 'Comment of the image' -r
complete -c pod -n "__fish_pod_using_subcommand import" -l os -d 'Operating system of the image' -r
complete -c pod -n "__fish_pod_using_subcommand import" -l variant -d 'Variant of the architecture' -r
complete -c pod -n "__fish_pod_using_subcommand import" -s q -l quiet -d 'Print the image\'s ID only'
complete -c pod -n "__fish_pod_using_subcommand import" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand save" -l format -d 'docker-archive, oci-archive, oci-dir or docker-dir' -r
complete -c pod -n "__fish_pod_using_subcommand save" -s o -l output -d 'Write to this file or directory instead of standard output' -r -F
complete -c pod -n "__fish_pod_using_subcommand save" -l compress -d 'Compress plain layers (with --format docker-dir)'
complete -c pod -n "__fish_pod_using_subcommand save" -s m -l multi-image-archive -d 'Save several images: every word is an image, not one more name'
complete -c pod -n "__fish_pod_using_subcommand save" -s q -l quiet -d 'Show no progress'
complete -c pod -n "__fish_pod_using_subcommand save" -l uncompressed -d 'Leave plain layers of an OCI image as they are'
complete -c pod -n "__fish_pod_using_subcommand save" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand load" -s i -l input -d 'Read the archive or directory from here instead of standard input' -r -F
complete -c pod -n "__fish_pod_using_subcommand load" -s q -l quiet -d 'Print the names only'
complete -c pod -n "__fish_pod_using_subcommand load" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand push" -l compression-format -d 'Compress layers so: gzip or zstd (default: gzip for layers that are not compressed)' -r
complete -c pod -n "__fish_pod_using_subcommand push" -l compression-level -d 'Level of the compression: 1-9 for gzip (default 5), 1-20 for zstd (default 3)' -r
complete -c pod -n "__fish_pod_using_subcommand push" -l force-compression -d 'Convert layers of another compression too (default with --compression-format)' -r
complete -c pod -n "__fish_pod_using_subcommand push" -l digestfile -d 'Write the digest of the pushed manifest to a file' -r -F
complete -c pod -n "__fish_pod_using_subcommand push" -s f -l format -d 'Format of the manifest: oci or v2s2 (default: the one it has)' -r
complete -c pod -n "__fish_pod_using_subcommand push" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand push" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand push" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand push" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand push" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand push" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand push" -l all -d 'Also push the images of a manifest list, not only this host\'s'
complete -c pod -n "__fish_pod_using_subcommand push" -s q -l quiet -d 'Say nothing but what went wrong'
complete -c pod -n "__fish_pod_using_subcommand push" -l remove-signatures -d 'Leave signatures out: images here have none'
complete -c pod -n "__fish_pod_using_subcommand push" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand images" -s f -l filter -d 'Show only what matches (can be repeated; != turns it round): after, before, containers, dangling, digest, id, intermediate, label, manifest, readonly, reference, since, until' -r
complete -c pod -n "__fish_pod_using_subcommand images" -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand images" -l sort -d 'Sort by created, id, repository, size or tag' -r
complete -c pod -n "__fish_pod_using_subcommand images" -s a -l all -d 'Show intermediate images too: without a name, and others are made from them'
complete -c pod -n "__fish_pod_using_subcommand images" -l digests -d 'Show manifest digests'
complete -c pod -n "__fish_pod_using_subcommand images" -l history -d 'Show the names an image had'
complete -c pod -n "__fish_pod_using_subcommand images" -l no-trunc -d 'Show IDs in full'
complete -c pod -n "__fish_pod_using_subcommand images" -s n -l noheading -d 'Leave out the column headings'
complete -c pod -n "__fish_pod_using_subcommand images" -s q -l quiet -d 'Show IDs only'
complete -c pod -n "__fish_pod_using_subcommand images" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand tag" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand untag" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand history" -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand history" -s H -l human -d 'Show times as ages (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand history" -l no-trunc -d 'Show IDs and commands in full'
complete -c pod -n "__fish_pod_using_subcommand history" -s q -l quiet -d 'Show IDs only'
complete -c pod -n "__fish_pod_using_subcommand history" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand rmi" -s a -l all -d 'Remove all images'
complete -c pod -n "__fish_pod_using_subcommand rmi" -s f -l force -d 'Also remove containers that use the image, and all names of an ID'
complete -c pod -n "__fish_pod_using_subcommand rmi" -s i -l ignore -d 'A missing image is no error'
complete -c pod -n "__fish_pod_using_subcommand rmi" -l no-prune -d 'Keep parents without a name'
complete -c pod -n "__fish_pod_using_subcommand rmi" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand search" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand search" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand search" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand search" -s f -l filter -d 'Show only what matches (can be repeated): stars=N, is-official, is-automated' -r
complete -c pod -n "__fish_pod_using_subcommand search" -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand search" -l limit -d 'Results of each registry (default: 25)' -r
complete -c pod -n "__fish_pod_using_subcommand search" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand search" -l compatible -d 'Show stars and whether images are official or automated, as Docker does'
complete -c pod -n "__fish_pod_using_subcommand search" -l list-tags -d 'List the tags of one repository'
complete -c pod -n "__fish_pod_using_subcommand search" -l no-trunc -d 'Show descriptions in full'
complete -c pod -n "__fish_pod_using_subcommand search" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand login" -l authfile -d 'File to store the login in, instead of ${XDG_RUNTIME_DIR}/containers/auth.json' -r -F
complete -c pod -n "__fish_pod_using_subcommand login" -l compat-auth-file -d 'Docker\'s config.json to store the login in, as Docker does' -r -F
complete -c pod -n "__fish_pod_using_subcommand login" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand login" -s p -l password -d 'Password; everybody on this host can read it in the process list, --password-stdin avoids that' -r
complete -c pod -n "__fish_pod_using_subcommand login" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand login" -s u -l username -d 'User name' -r
complete -c pod -n "__fish_pod_using_subcommand login" -l get-login -d 'Print who is logged in, and do nothing else'
complete -c pod -n "__fish_pod_using_subcommand login" -l password-stdin -d 'Read the password from stdin'
complete -c pod -n "__fish_pod_using_subcommand login" -s v -l verbose -d 'Say where the login is stored'
complete -c pod -n "__fish_pod_using_subcommand login" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand logout" -l authfile -d 'File the login is stored in, instead of ${XDG_RUNTIME_DIR}/containers/auth.json' -r -F
complete -c pod -n "__fish_pod_using_subcommand logout" -l compat-auth-file -d 'Docker\'s config.json the login is stored in' -r -F
complete -c pod -n "__fish_pod_using_subcommand logout" -s a -l all -d 'Forget the logins of all registries in the file'
complete -c pod -n "__fish_pod_using_subcommand logout" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand info" -s f -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand info" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand system; and not __fish_seen_subcommand_from import-podman info df" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand system; and not __fish_seen_subcommand_from import-podman info df" -f -a "import-podman" -d 'Import images of Podman\'s own store'
complete -c pod -n "__fish_pod_using_subcommand system; and not __fish_seen_subcommand_from import-podman info df" -f -a "info" -d 'Show this host, the store and the settings in force'
complete -c pod -n "__fish_pod_using_subcommand system; and not __fish_seen_subcommand_from import-podman info df" -f -a "df" -d 'Show what images, containers and volumes take'
complete -c pod -n "__fish_pod_using_subcommand system; and __fish_seen_subcommand_from import-podman" -l from -d 'Podman\'s graph root, where it is not the usual one' -r -F
complete -c pod -n "__fish_pod_using_subcommand system; and __fish_seen_subcommand_from import-podman" -s q -l quiet -d 'Print the names only'
complete -c pod -n "__fish_pod_using_subcommand system; and __fish_seen_subcommand_from import-podman" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand system; and __fish_seen_subcommand_from info" -s f -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand system; and __fish_seen_subcommand_from info" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand system; and __fish_seen_subcommand_from df" -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand system; and __fish_seen_subcommand_from df" -s v -l verbose -d 'Show each image, container and volume'
complete -c pod -n "__fish_pod_using_subcommand system; and __fish_seen_subcommand_from df" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand version" -s f -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand version" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "diff" -d 'Show what an image\'s uppermost layer changed'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "mount" -d 'Mount the files of images, inside unshare'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "unmount" -d 'Undo image mount'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "umount" -d 'Undo image mount'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "pull" -d 'Fetch images from a registry'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "import" -d 'Make an image of a file system in a tar'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "save" -d 'Save images to an archive or a directory'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "load" -d 'Load images from an archive or a directory'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "push" -d 'Send an image to a registry, an archive or a directory'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "ls" -d 'List images'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "list" -d 'List images'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "tag" -d 'Give an image more names'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "untag" -d 'Take names from an image, or all of them'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "history" -d 'Show how an image was made'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "rm" -d 'Remove images or their names'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "remove" -d 'Remove images or their names'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "search" -d 'Search registries for images'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "inspect" -d 'Show everything known of images'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "prune" -d 'Remove images that nobody needs'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "tree" -d 'Show the layers of an image as a tree'
complete -c pod -n "__fish_pod_using_subcommand image; and not __fish_seen_subcommand_from diff mount unmount umount pull import save load push ls list tag untag history rm remove search inspect prune tree exists" -f -a "exists" -d 'Tell by the exit status whether an image exists (0 yes, 1 no)'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from diff" -l format -d 'Print "json" instead of lines' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from mount" -l format -d 'Print "json" instead of lines' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from mount" -s a -l all -d 'Mount all images'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from mount" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from unmount" -s a -l all -d 'Unmount all images'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from unmount" -s f -l force -d 'Also what is in use, as soon as it is not'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from unmount" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from umount" -s a -l all -d 'Unmount all images'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from umount" -s f -l force -d 'Also what is in use, as soon as it is not'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from umount" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -l policy -d 'When to ask the registry: always, missing, never, newer' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -l platform -d 'Platform of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -l arch -d 'Architecture of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -l os -d 'Operating system of the image' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -l variant -d 'Variant of the architecture' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -s a -l all-tags -d 'Pull every tag of the repository'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -s q -l quiet -d 'Print the image ID only'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from pull" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from import" -l arch -d 'Architecture of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from import" -s c -l change -d 'Instruction that sets what the image runs: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR with its value (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from import" -s m -l message -d 'Comment of the image' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from import" -l os -d 'Operating system of the image' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from import" -l variant -d 'Variant of the architecture' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Print the image\'s ID only'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from save" -l format -d 'docker-archive, oci-archive, oci-dir or docker-dir' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from save" -s o -l output -d 'Write to this file or directory instead of standard output' -r -F
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from save" -l compress -d 'Compress plain layers (with --format docker-dir)'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from save" -s m -l multi-image-archive -d 'Save several images: every word is an image, not one more name'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from save" -s q -l quiet -d 'Show no progress'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from save" -l uncompressed -d 'Leave plain layers of an OCI image as they are'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from save" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from load" -s i -l input -d 'Read the archive or directory from here instead of standard input' -r -F
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from load" -s q -l quiet -d 'Print the names only'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from load" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l compression-format -d 'Compress layers so: gzip or zstd (default: gzip for layers that are not compressed)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l compression-level -d 'Level of the compression: 1-9 for gzip (default 5), 1-20 for zstd (default 3)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l force-compression -d 'Convert layers of another compression too (default with --compression-format)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l digestfile -d 'Write the digest of the pushed manifest to a file' -r -F
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -s f -l format -d 'Format of the manifest: oci or v2s2 (default: the one it has)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l all -d 'Also push the images of a manifest list, not only this host\'s'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -s q -l quiet -d 'Say nothing but what went wrong'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -l remove-signatures -d 'Leave signatures out: images here have none'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from push" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from ls" -s f -l filter -d 'Show only what matches (can be repeated; != turns it round): after, before, containers, dangling, digest, id, intermediate, label, manifest, readonly, reference, since, until' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from ls" -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from ls" -l sort -d 'Sort by created, id, repository, size or tag' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from ls" -s a -l all -d 'Show intermediate images too: without a name, and others are made from them'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from ls" -l digests -d 'Show manifest digests'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from ls" -l history -d 'Show the names an image had'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from ls" -l no-trunc -d 'Show IDs in full'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from ls" -s n -l noheading -d 'Leave out the column headings'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Show IDs only'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from list" -s f -l filter -d 'Show only what matches (can be repeated; != turns it round): after, before, containers, dangling, digest, id, intermediate, label, manifest, readonly, reference, since, until' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from list" -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from list" -l sort -d 'Sort by created, id, repository, size or tag' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from list" -s a -l all -d 'Show intermediate images too: without a name, and others are made from them'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from list" -l digests -d 'Show manifest digests'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from list" -l history -d 'Show the names an image had'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from list" -l no-trunc -d 'Show IDs in full'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from list" -s n -l noheading -d 'Leave out the column headings'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show IDs only'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from tag" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from untag" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from history" -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from history" -s H -l human -d 'Show times as ages (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from history" -l no-trunc -d 'Show IDs and commands in full'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from history" -s q -l quiet -d 'Show IDs only'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from rm" -s a -l all -d 'Remove all images'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from rm" -s f -l force -d 'Also remove containers that use the image, and all names of an ID'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from rm" -s i -l ignore -d 'A missing image is no error'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from rm" -l no-prune -d 'Keep parents without a name'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from remove" -s a -l all -d 'Remove all images'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from remove" -s f -l force -d 'Also remove containers that use the image, and all names of an ID'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from remove" -s i -l ignore -d 'A missing image is no error'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from remove" -l no-prune -d 'Keep parents without a name'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from search" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from search" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from search" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from search" -s f -l filter -d 'Show only what matches (can be repeated): stars=N, is-official, is-automated' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from search" -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from search" -l limit -d 'Results of each registry (default: 25)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from search" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from search" -l compatible -d 'Show stars and whether images are official or automated, as Docker does'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from search" -l list-tags -d 'List the tags of one repository'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from search" -l no-trunc -d 'Show descriptions in full'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from search" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from inspect" -s f -l format -d 'Go template, or json' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from prune" -l filter -d 'Remove only what matches (can be repeated): label, until, and the other filters of images' -r
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from prune" -s a -l all -d 'Remove all images that no container uses, not just those without a name'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from prune" -l build-cache -d 'Also remove what builds keep for later ones: there is none yet'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from prune" -l external -d 'Also remove images that only containers of other programs use: there are none in this store'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not ask'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from tree" -l whatrequires -d 'Show the layers and images above this one in place of those below'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from tree" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand image; and __fish_seen_subcommand_from exists" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "run" -d 'Run a command in a new container'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "create" -d 'Make a container and do not start it'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "start" -d 'Start containers again'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "stop" -d 'Stop running containers'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "restart" -d 'Stop containers and start them again'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "kill" -d 'Send a signal to running containers'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "rename" -d 'Give a container another name'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "rm" -d 'Remove containers'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "exec" -d 'Run a process in a running container'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "attach" -d 'Join the terminal or output of a running container'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "wait" -d 'Wait until containers end, and print their exit statuses'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "commit" -d 'Make an image of a container'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "export" -d 'Write a container\'s files as a tar'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "diff" -d 'Show what a container changed'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "mount" -d 'Mount the files of containers, inside unshare'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "unmount" -d 'Undo mount'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "umount" -d 'Undo mount'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "ls" -d 'List containers'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "list" -d 'List containers'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "ps" -d 'List containers'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "logs" -d 'Show what containers wrote'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "port" -d 'List published ports'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "inspect" -d 'Show everything known of containers'
complete -c pod -n "__fish_pod_using_subcommand container; and not __fish_seen_subcommand_from run create start stop restart kill rename rm exec attach wait commit export diff mount unmount umount ls list ps logs port inspect exists" -f -a "exists" -d 'Tell by the exit status whether a container exists (0 yes, 1 no)'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l sig-proxy -d 'Pass signals on to the container (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l name -d 'Name of the container (default: a made-up one)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s a -l attach -d 'Connect stdin, stdout or stderr only (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s l -l label -d 'Label, NAME=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l label-file -d 'File with a label on each line (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l annotation -d 'Annotation, NAME=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l cidfile -d 'Write the container\'s id to a file that does not exist yet' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l pidfile -d 'Write the pid of the container\'s first process to a file' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l pull -d 'When to ask the registry: always, missing, never, newer' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l log-driver -d 'Where the container\'s output goes: k8s-file, none, passthrough' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l log-opt -d 'Option of the log, NAME=VALUE: path, max-size, tag (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l entrypoint -d 'Replace the image\'s entry point: a word, or a JSON list of words' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s e -l env -d 'Variable: NAME=VALUE, NAME (the host\'s value) or PREFIX* (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l env-file -d 'File with a variable on each line (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l unsetenv -d 'Remove a variable of the image (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l http-proxy -d 'Pass the host\'s proxy variables on (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s u -l user -d 'User and group, by name or number' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l group-add -d 'Additional group (can be repeated); keep-groups keeps yours' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s w -l workdir -d 'Working directory' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l init -d 'Run a small init that reaps processes and passes signals on' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l stop-signal -d 'Signal that asks the container to end (default TERM)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l stop-timeout -d 'Seconds between that signal and the kill (default 10)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l timeout -d 'Seconds the container may run' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l tz -d 'Time zone, or "local" for the host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l umask -d 'Mask of permissions for new files, octal (default 0022)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l ulimit -d 'Limit, NAME=SOFT[:HARD] (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l oom-score-adj -d 'How readily the kernel kills the container when memory runs out, -1000 to 1000' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l preserve-fds -d 'Pass descriptors 3 to 3+N-1 on' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l detach-keys -d 'Keys that leave the container running (default ctrl-p,ctrl-q)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s v -l volume -d 'Mount a directory or file of this host (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l mount -d 'Mount, in long form: type=bind|tmpfs|devpts,… (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l tmpfs -d 'Mount an empty file system in memory (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l read-only -d 'Make the container\'s own files read-only' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l read-only-tmpfs -d 'With --read-only: keep /tmp, /run and the like writable (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l image-volume -d 'What the image\'s volumes become: bind, tmpfs, ignore' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l shm-size -d 'Size of /dev/shm (default 65536000)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l device -d 'Device of this host (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l network -l net -d 'pasta, slirp4netns, host, none, container:NAME or ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s p -l publish -d 'Publish a port (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l expose -d 'Expose a port or range (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s h -l hostname -d 'Host name inside (default: the first 12 digits of the id)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l add-host -d 'Line of /etc/hosts (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l no-hosts -d 'Leave the image\'s /etc/hosts alone' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l dns -d 'Name server (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l dns-search -d 'Domain to search for short names (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l dns-option -l dns-opt -d 'Option of /etc/resolv.conf (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l cap-add -d 'Capability to add, or ALL (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l cap-drop -d 'Capability to drop, or ALL (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l privileged -d 'All capabilities and devices, no filter of system calls' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l security-opt -d 'no-new-privileges, seccomp=FILE|unconfined, mask=, unmask=, … (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l sysctl -d 'Kernel parameter of the container\'s namespaces (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l userns -d 'User namespace: host (you are root), keep-id[:uid=,gid=], nomap' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l pid -d 'Process namespace: private, host, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l ipc -d 'IPC namespace: private, host, none, shareable, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l uts -d 'Host name namespace: private, host, container:NAME' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l cgroupns -d 'Cgroup namespace: private, host, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l platform -d 'Platform of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l arch -d 'Architecture of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l os -d 'Operating system of the image' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l variant -d 'Variant of the architecture' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s d -l detach -d 'Return as soon as the container runs, and print its id'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l replace -d 'Remove a container of the same name first'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l rm -d 'Remove the container when it has ended'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s i -l interactive -d 'Keep stdin open'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s t -l tty -d 'Give the container a terminal'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Do not show the progress of a pull'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l rootfs -d 'Use a directory instead of an image'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l unsetenv-all -d 'Remove all variables of the image'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -s P -l publish-all -d 'Publish all exposed ports on free ports of the host'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l no-hostname -d 'Leave the image\'s /etc/hostname alone'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from run" -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l name -d 'Name of the container (default: a made-up one)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s a -l attach -d 'Connect stdin, stdout or stderr only (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s l -l label -d 'Label, NAME=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l label-file -d 'File with a label on each line (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l annotation -d 'Annotation, NAME=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l cidfile -d 'Write the container\'s id to a file that does not exist yet' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l pidfile -d 'Write the pid of the container\'s first process to a file' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l pull -d 'When to ask the registry: always, missing, never, newer' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l log-driver -d 'Where the container\'s output goes: k8s-file, none, passthrough' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l log-opt -d 'Option of the log, NAME=VALUE: path, max-size, tag (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l entrypoint -d 'Replace the image\'s entry point: a word, or a JSON list of words' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s e -l env -d 'Variable: NAME=VALUE, NAME (the host\'s value) or PREFIX* (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l env-file -d 'File with a variable on each line (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l unsetenv -d 'Remove a variable of the image (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l http-proxy -d 'Pass the host\'s proxy variables on (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s u -l user -d 'User and group, by name or number' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l group-add -d 'Additional group (can be repeated); keep-groups keeps yours' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s w -l workdir -d 'Working directory' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l init -d 'Run a small init that reaps processes and passes signals on' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l stop-signal -d 'Signal that asks the container to end (default TERM)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l stop-timeout -d 'Seconds between that signal and the kill (default 10)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l timeout -d 'Seconds the container may run' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l tz -d 'Time zone, or "local" for the host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l umask -d 'Mask of permissions for new files, octal (default 0022)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l ulimit -d 'Limit, NAME=SOFT[:HARD] (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l oom-score-adj -d 'How readily the kernel kills the container when memory runs out, -1000 to 1000' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l preserve-fds -d 'Pass descriptors 3 to 3+N-1 on' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l detach-keys -d 'Keys that leave the container running (default ctrl-p,ctrl-q)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s v -l volume -d 'Mount a directory or file of this host (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l mount -d 'Mount, in long form: type=bind|tmpfs|devpts,… (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l tmpfs -d 'Mount an empty file system in memory (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l read-only -d 'Make the container\'s own files read-only' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l read-only-tmpfs -d 'With --read-only: keep /tmp, /run and the like writable (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l image-volume -d 'What the image\'s volumes become: bind, tmpfs, ignore' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l shm-size -d 'Size of /dev/shm (default 65536000)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l device -d 'Device of this host (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l network -l net -d 'pasta, slirp4netns, host, none, container:NAME or ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s p -l publish -d 'Publish a port (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l expose -d 'Expose a port or range (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s h -l hostname -d 'Host name inside (default: the first 12 digits of the id)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l add-host -d 'Line of /etc/hosts (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l no-hosts -d 'Leave the image\'s /etc/hosts alone' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l dns -d 'Name server (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l dns-search -d 'Domain to search for short names (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l dns-option -l dns-opt -d 'Option of /etc/resolv.conf (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l cap-add -d 'Capability to add, or ALL (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l cap-drop -d 'Capability to drop, or ALL (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l privileged -d 'All capabilities and devices, no filter of system calls' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l security-opt -d 'no-new-privileges, seccomp=FILE|unconfined, mask=, unmask=, … (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l sysctl -d 'Kernel parameter of the container\'s namespaces (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l userns -d 'User namespace: host (you are root), keep-id[:uid=,gid=], nomap' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l pid -d 'Process namespace: private, host, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l ipc -d 'IPC namespace: private, host, none, shareable, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l uts -d 'Host name namespace: private, host, container:NAME' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l cgroupns -d 'Cgroup namespace: private, host, container:NAME, ns:PATH' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l platform -d 'Platform of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l arch -d 'Architecture of the image, instead of this host\'s' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l os -d 'Operating system of the image' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l variant -d 'Variant of the architecture' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l replace -d 'Remove a container of the same name first'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l rm -d 'Remove the container when it has ended'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s i -l interactive -d 'Keep stdin open'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s t -l tty -d 'Give the container a terminal'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s q -l quiet -d 'Do not show the progress of a pull'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l rootfs -d 'Use a directory instead of an image'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l unsetenv-all -d 'Remove all variables of the image'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -s P -l publish-all -d 'Publish all exposed ports on free ports of the host'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l no-hostname -d 'Leave the image\'s /etc/hostname alone'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from create" -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from start" -s f -l filter -d 'Start containers that do not run and fit (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from start" -l detach-keys -d 'Keys that leave the container running (default ctrl-p,ctrl-q)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from start" -l sig-proxy -d 'Pass signals on to the container (default: true with --attach)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from start" -l all -d 'Start all containers that do not run'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from start" -s a -l attach -d 'Connect stdout and stderr, and end with the container\'s exit status'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from start" -s i -l interactive -d 'Connect stdin too'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from start" -s l -l latest -d 'Start the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from stop" -s t -l time -d 'Seconds to wait before the kill, -1 for ever (default: the container\'s own, 10)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from stop" -l cidfile -d 'File with a container\'s id (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from stop" -s f -l filter -d 'Stop running containers that fit (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from stop" -s a -l all -d 'Stop all running containers'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from stop" -s i -l ignore -d 'Pass over containers that do not exist'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from stop" -s l -l latest -d 'Stop the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from restart" -s t -l time -d 'Seconds to wait before the kill, -1 for ever (default: the container\'s own, 10)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from restart" -l cidfile -d 'File with a container\'s id (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from restart" -s f -l filter -d 'Restart containers that fit (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from restart" -s a -l all -d 'Restart all containers, whatever their state'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from restart" -s l -l latest -d 'Restart the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from restart" -l running -d 'Restart only those that run'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from restart" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from kill" -s s -l signal -d 'Signal to send, by name or number' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from kill" -l cidfile -d 'File with a container\'s id (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from kill" -s a -l all -d 'Signal all running containers'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from kill" -s l -l latest -d 'Signal the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from kill" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from rename" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from rm" -s t -l time -d 'With --force: seconds to wait before the kill, -1 for ever (default 10)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from rm" -l cidfile -d 'File with a container\'s id (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from rm" -l filter -d 'Remove containers that fit (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from rm" -s a -l all -d 'Remove all containers'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from rm" -s f -l force -d 'Remove running containers too; a missing one is no failure'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from rm" -s i -l ignore -d 'Pass over containers that do not exist'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from rm" -s l -l latest -d 'Remove the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from rm" -s v -l volumes -d 'Remove the anonymous volumes too (they go with the container in any case)'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -l detach-keys -d 'Keys that leave the process running (default ctrl-p,ctrl-q)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -s e -l env -d 'Variable: NAME=VALUE, NAME (the host\'s value) or PREFIX* (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -l env-file -d 'File with a variable on each line (can be repeated)' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -l preserve-fds -d 'Pass descriptors 3 to 3+N-1 on' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -s u -l user -d 'User and group, by name or number' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -s w -l workdir -d 'Working directory' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -s d -l detach -d 'Leave the process running, and print the session\'s id'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -s i -l interactive -d 'Connect stdin'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -s l -l latest -d 'Run in the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -l privileged -d 'All capabilities, no filter of system calls'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -s t -l tty -d 'Give the process a terminal'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exec" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from attach" -l detach-keys -d 'Keys that leave the container running (default ctrl-p,ctrl-q)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from attach" -l sig-proxy -d 'Pass signals on to the container (default true)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from attach" -s l -l latest -d 'Join the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from attach" -l no-stdin -d 'Do not connect stdin'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from attach" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from wait" -l condition -d 'What to wait for: created, running, paused, stopped, exited, … (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from wait" -l ignore -d 'Print -1 for containers that do not exist'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from wait" -s l -l latest -d 'Wait for the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from wait" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from commit" -s a -l author -d 'Who made the image' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from commit" -s c -l change -d 'Instruction that changes the image\'s settings: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR with its value (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from commit" -s f -l format -d 'Format of manifest and settings: oci or docker' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from commit" -l iidfile -d 'File to write the image\'s id to' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from commit" -s m -l message -d 'Comment of the image, with --format docker' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from commit" -l include-volumes -d 'Make the container\'s volumes volumes of the image'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from commit" -s p -l pause -d 'Stop the container\'s processes meanwhile'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from commit" -s q -l quiet -d 'Say nothing but the image\'s id'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from commit" -s s -l squash -d 'Make one layer of the container and its image'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from commit" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from export" -s o -l output -d 'File to write to (default: stdout, which must not be a terminal)' -r -F
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from diff" -l format -d 'Print "json" instead of lines' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from diff" -s l -l latest -d 'Look at the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from mount" -l format -d 'Print "json" instead of lines' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from mount" -s a -l all -d 'Mount all containers'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from mount" -s l -l latest -d 'Mount the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from mount" -l no-trunc -d 'Show whole ids'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from mount" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from unmount" -s a -l all -d 'Unmount all containers'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from unmount" -s f -l force -d 'Also what is in use, as soon as it is not'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from unmount" -s l -l latest -d 'Unmount the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from unmount" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from umount" -s a -l all -d 'Unmount all containers'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from umount" -s f -l force -d 'Also what is in use, as soon as it is not'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from umount" -s l -l latest -d 'Unmount the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from umount" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -s f -l filter -d 'Show only containers that fit: KEY=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -l format -d 'Print with a Go template; "json" for JSON, "table ..." for columns' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -s n -l last -d 'Show the N containers created last, whatever their state' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -l sort -d 'Sort by command, created, id, image, names, runningfor, size or status' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -s w -l watch -d 'Show again every SECONDS' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -s a -l all -d 'Show all containers, not only those that run'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -s l -l latest -d 'Show the container created last, whatever its state'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -l no-trunc -d 'Do not shorten ids and commands'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -l noheading -l noheadings -d 'Leave the header out'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -l ns -d 'Show namespaces'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -s p -l pod -d 'Show the pod of each container'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Print ids only'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -s s -l size -d 'Show the size of each container\'s files'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -s f -l filter -d 'Show only containers that fit: KEY=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -l format -d 'Print with a Go template; "json" for JSON, "table ..." for columns' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -s n -l last -d 'Show the N containers created last, whatever their state' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -l sort -d 'Sort by command, created, id, image, names, runningfor, size or status' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -s w -l watch -d 'Show again every SECONDS' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -s a -l all -d 'Show all containers, not only those that run'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -s l -l latest -d 'Show the container created last, whatever its state'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -l no-trunc -d 'Do not shorten ids and commands'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -l noheading -l noheadings -d 'Leave the header out'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -l ns -d 'Show namespaces'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -s p -l pod -d 'Show the pod of each container'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print ids only'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -s s -l size -d 'Show the size of each container\'s files'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -s f -l filter -d 'Show only containers that fit: KEY=VALUE (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -l format -d 'Print with a Go template; "json" for JSON, "table ..." for columns' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -s n -l last -d 'Show the N containers created last, whatever their state' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -l sort -d 'Sort by command, created, id, image, names, runningfor, size or status' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -s w -l watch -d 'Show again every SECONDS' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -s a -l all -d 'Show all containers, not only those that run'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -s l -l latest -d 'Show the container created last, whatever its state'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -l no-trunc -d 'Do not shorten ids and commands'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -l noheading -l noheadings -d 'Leave the header out'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -l ns -d 'Show namespaces'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -s p -l pod -d 'Show the pod of each container'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -s q -l quiet -d 'Print ids only'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -s s -l size -d 'Show the size of each container\'s files'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from ps" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from logs" -l since -d 'Show what was written after: a time, or how long ago (10m)' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from logs" -l tail -d 'Show the last N lines, -1 for all' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from logs" -l until -d 'Show what was written before: a time, or how long ago' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Go on until the container ends'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from logs" -s l -l latest -d 'Show the log of the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from logs" -s n -l names -d 'Put the container\'s name before each line'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from logs" -s t -l timestamps -d 'Put the time before each line'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from port" -s a -l all -d 'Show the ports of all running containers'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from port" -s l -l latest -d 'Show the ports of the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from port" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from inspect" -s f -l format -d 'Print with a Go template; "json" for JSON' -r
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from inspect" -s l -l latest -d 'Show the container created last'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from inspect" -s s -l size -d 'Count the sizes of the containers\' files'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand container; and __fish_seen_subcommand_from exists" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand manifest; and not __fish_seen_subcommand_from create add annotate exists inspect push remove rm" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand manifest; and not __fish_seen_subcommand_from create add annotate exists inspect push remove rm" -f -a "create" -d 'Make a list of images for several platforms'
complete -c pod -n "__fish_pod_using_subcommand manifest; and not __fish_seen_subcommand_from create add annotate exists inspect push remove rm" -f -a "add" -d 'Put images into a list'
complete -c pod -n "__fish_pod_using_subcommand manifest; and not __fish_seen_subcommand_from create add annotate exists inspect push remove rm" -f -a "annotate" -d 'Change what a list says of an image'
complete -c pod -n "__fish_pod_using_subcommand manifest; and not __fish_seen_subcommand_from create add annotate exists inspect push remove rm" -f -a "exists" -d 'Tell by the exit status whether a list exists (0 yes, 1 no)'
complete -c pod -n "__fish_pod_using_subcommand manifest; and not __fish_seen_subcommand_from create add annotate exists inspect push remove rm" -f -a "inspect" -d 'Show a list, or what a registry has under a name'
complete -c pod -n "__fish_pod_using_subcommand manifest; and not __fish_seen_subcommand_from create add annotate exists inspect push remove rm" -f -a "push" -d 'Send a list and its images to a registry, an archive or a directory'
complete -c pod -n "__fish_pod_using_subcommand manifest; and not __fish_seen_subcommand_from create add annotate exists inspect push remove rm" -f -a "remove" -d 'Take an image out of a list'
complete -c pod -n "__fish_pod_using_subcommand manifest; and not __fish_seen_subcommand_from create add annotate exists inspect push remove rm" -f -a "rm" -d 'Remove lists'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l annotation -d 'Annotation of the list (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l all -d 'Add every image of an index, not only this host\'s'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from create" -s a -l amend -d 'Add to a list of that name, if there is one'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l annotation -d 'Annotation (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l arch -d 'Architecture' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l features -d 'Features of the processor; only Docker\'s format keeps them' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l os -d 'Operating system' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l os-features -d 'Features of the operating system' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l os-version -d 'Version of the operating system' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l variant -d 'Variant of the architecture' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l all -d 'Add every image of an index, not only this host\'s'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l annotation -d 'Annotation (can be repeated)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l arch -d 'Architecture' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l features -d 'Features of the processor; only Docker\'s format keeps them' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l os -d 'Operating system' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l os-features -d 'Features of the operating system' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l os-version -d 'Version of the operating system' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l variant -d 'Variant of the architecture' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l index -d 'Annotate the list itself'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from exists" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l all -d 'Push the images of the list too (default: true)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l compression-format -d 'Compress layers so: gzip or zstd (default: gzip for layers that are not compressed)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l compression-level -d 'Level of the compression: 1-9 for gzip (default 5), 1-20 for zstd (default 3)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l force-compression -d 'Convert layers of another compression too (default with --compression-format)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l digestfile -d 'Write the digest of the pushed manifest to a file' -r -F
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -s f -l format -d 'Format of the manifest: oci or v2s2 (default: the one it has)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l authfile -d 'File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin' -r -F
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l cert-dir -d 'Directory of certificates (*.crt, *.cert, *.key) for the registry' -r -F
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l creds -d 'Credentials for the registry' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l tls-verify -d 'Require HTTPS and check certificates (default: what registries.conf says, else true)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l retry -d 'Tries after a failed one (default: 3)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l retry-delay -d 'Pause between tries (default: half a second, doubling)' -r
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -s q -l quiet -d 'Say nothing but what went wrong'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l rm -d 'Remove the list when it was pushed'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l remove-signatures -d 'Leave signatures out: images here have none'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from push" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from rm" -s i -l ignore -d 'A missing list is no error'
complete -c pod -n "__fish_pod_using_subcommand manifest; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c pod -n "__fish_seen_subcommand_from start stop kill rm exec attach wait logs port inspect exists" -f -a "(pod __complete containers 2>/dev/null)"
complete -c pod -n "__fish_seen_subcommand_from run create tag untag rmi history tree inspect exists" -f -a "(pod __complete images 2>/dev/null)"
