# Completion of pod for bash: pod itself says what may follow. Installed as
# /usr/share/bash-completion/completions/pod, or: source <(pod completion bash)
# For an alias: complete -F _pod podman

_pod() {
    local line=${COMP_LINE:0:COMP_POINT} rest=$COMP_LINE program=pod i word strip directive candidate
    local -a words=() answer=()
    # Bash splits words at : and = too; what no blank parts is one word here.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $i -eq 0 || $rest == [[:blank:]]* ]]; then
            rest=${rest#"${rest%%[![:blank:]]*}"}
            words+=("$word")
        else
            words[${#words[@]} - 1]+=$word
        fi
        rest=${rest#"$word"}
    done
    [[ ${words[0]} == */* && -x ${words[0]} ]] && program=${words[0]}

    # The word before the cursor, and how much of it readline keeps: up to the last : or =, unless it is quoted.
    word=${line##*[[:blank:]]}
    if [[ $word == [\'\"]* ]]; then
        word=${word:1} strip=
    elif [[ $COMP_WORDBREAKS == *:* ]]; then
        strip=${word%"${word##*[:=]}"}
    else
        strip=${word%"${word##*=}"}
    fi

    mapfile -t answer < <("$program" __complete "${words[@]:1:${#words[@]}-2}" "$word" 2>/dev/null)
    [[ ${#answer[@]} -gt 0 ]] || return
    directive=${answer[${#answer[@]} - 1]#:}
    COMPREPLY=()
    for candidate in "${answer[@]:0:${#answer[@]}-1}"; do
        candidate=${candidate%%$'\t'*}
        COMPREPLY+=("${candidate#"$strip"}")
    done
    ((directive & 2)) && compopt -o nospace
    if ((directive & 16)); then
        compopt -o filenames
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "${word#"$strip"}")
    elif ! ((directive & 4)); then
        compopt -o filenames
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${word#"$strip"}")
    fi
}

complete -F _pod pod
