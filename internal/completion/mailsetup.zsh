#compdef mailsetup
# Completion of mailsetup(8) for zsh.
_mailsetup() {
	local line word
	local -a found
	for line in "${(@f)$("$words[1]" __complete "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
		case $line in
			('') ;;
			(:files) [[ $PREFIX == --*=* ]] && compset -P '*='; _files ;;
			(:dirs) [[ $PREFIX == --*=* ]] && compset -P '*='; _files -/ ;;
			(*$'\t'*) word=${line%%$'\t'*}; found+=("${word//:/\\:}:${line#*$'\t'}") ;;
			(*) found+=("${line//:/\\:}") ;;
		esac
	done
	(( $#found )) && _describe -V -t mailsetup mailsetup found
}
if [[ $funcstack[1] == _mailsetup ]]; then
	_mailsetup "$@"
else
	compdef _mailsetup mailsetup
fi
