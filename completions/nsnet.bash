# bash completion for nsnet: nsnet itself says what fits.

_nsnet() {
    local words=() word tail=$2 join='' i
    # Nothing is typed yet behind a separator, which bash counts as a word.
    [[ ${COMP_WORDS[COMP_CWORD]} != [:=]* ]] || tail=
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        # Up to the cursor.
        ((i < COMP_CWORD)) || [[ $word == [:=]* ]] || word=$tail
        # red:eth0 and --netns=red are one word each, but not to bash.
        [[ $word != [:=]* ]] || join=yes
        if [[ $join && $i -gt 0 ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        [[ $word == [:=]* ]] || join=
    done
    local index=$((${#words[@]} - 1))
    local before=${words[index]%"$tail"}
    mapfile -t COMPREPLY < <(
        _CLAP_COMPLETE_INDEX=$index _CLAP_IFS=$'\n' COMPLETE=bash nsnet -- "${words[@]}" 2>/dev/null
    )
    for i in "${!COMPREPLY[@]}"; do
        printf -v 'COMPREPLY[i]' %q "${COMPREPLY[i]#"$before"}"
    done
    [[ ${COMPREPLY[0]-} != *[=/:] ]] || compopt -o nospace 2>/dev/null
}
complete -o default -o nosort -F _nsnet nsnet
