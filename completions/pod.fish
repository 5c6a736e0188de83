# Completion of pod for fish: pod itself says what may follow. Installed in /usr/share/fish/vendor_completions.d.

function __pod_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l answer (pod __complete $words[2..-1] "$current" 2>/dev/null)
    or return
    set -l directive (string replace ':' '' -- $answer[-1])
    set -e answer[-1]
    printf '%s\n' $answer
    if test (math "floor($directive / 16) % 2") -eq 1
        __fish_complete_directories "$current"
    else if test (math "floor($directive / 4) % 2") -eq 0
        __fish_complete_path "$current"
    end
end

complete -c pod -f -a '(__pod_complete)'
