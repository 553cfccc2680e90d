/*
 * complete_scripts: how each shell asks for candidates (complete.h) and offers them.
 */
#include "commands/complete_scripts.h"

#include <string.h>

#include "base/attr.h"
#include "base/strbuf.h"

/* bash parts the line at signs such as "=" and ":" too (COMP_WORDBREAKS), so the words are put
 * together again: those with no blank between them are one. readline replaces only the last part,
 * so what precedes it is taken off each candidate (an "@" belongs to that part). Names of files may
 * have blanks: one a line. */
static const char bash_script[] =
    "_auditview() {\n"
    "\tlocal IFS=$' \\t\\n' line=${COMP_LINE:0:COMP_POINT} words=() i word rest kind answer "
    "before\n"
    "\tfor ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "\t\tword=${COMP_WORDS[i]}\n"
    "\t\trest=${line#\"${line%%[![:space:]]*}\"}\n"
    "\t\tif ((i == COMP_CWORD)); then word=$rest; fi\n"
    "\t\tif ((i > 0)) && [[ $rest == \"$line\" ]]; then words[${#words[@]} - 1]+=$word\n"
    "\t\telse words+=(\"$word\"); fi\n"
    "\t\tline=${rest#\"$word\"}\n"
    "\tdone\n"
    "\tfor i in \"${!words[@]}\"; do words[i]=${words[i]//[\\\\\\\"\\']/}; done\n"
    "\tlocal all=${words[${#words[@]} - 1]}\n"
    "\tmapfile -t answer < <(\"${words[0]/#\\~/$HOME}\" --complete \"${words[@]:1}\" 2>/dev/null)\n"
    "\tkind=${answer[0]}\n"
    "\tCOMPREPLY=()\n"
    "\tcase $kind in\n"
    "\tprogram*)\n"
    "\t\ti=${kind#program }\n"
    "\t\tif declare -F _comp_command_offset >/dev/null; then _comp_command_offset $((i + 1)); "
    "return; fi\n"
    "\t\tif declare -F _command_offset >/dev/null; then _command_offset $((i + 1)); return; fi\n"
    "\t\tcompopt -o filenames\n"
    "\t\t((i + 2 < ${#words[@]})) || mapfile -t COMPREPLY < <(compgen -c -- \"$all\")\n"
    "\t\tmapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$all\");;\n"
    "\tfiles|captures)\n"
    "\t\tcompopt -o filenames\n"
    "\t\tif [[ $kind == files ]]; then mapfile -t COMPREPLY < <(compgen -f -- \"$all\")\n"
    "\t\telse mapfile -t COMPREPLY < <(compgen -f -X '!*.avc' -- \"$all\"; compgen -d -- "
    "\"$all\"); fi;;\n"
    "\tesac\n"
    "\tbefore=${all%\"${all##*[=:]}\"}\n"
    "\trest=${all#\"$before\"}\n"
    "\tif [[ $rest == *@* ]]; then before+=${rest%@*}; fi\n"
    "\tfor word in \"${answer[@]:1}\"; do\n"
    "\t\tword=${word%%$'\\t'*}\n"
    "\t\tCOMPREPLY+=(\"${word#\"$before\"}\")\n"
    "\tdone\n"
    "\t# A list goes on, and so does a name with a part of its own: no blank after it.\n"
    "\tif [[ $all == -*= || ${#COMPREPLY[@]} == 0 ]]; then compopt -o nospace; fi\n"
    "}\n"
    "complete -F _auditview auditview\n";

static const char zsh_script[] =
    "#compdef auditview\n"
    "_auditview() {\n"
    "\tlocal kind line\n"
    "\tlocal -a answer given shown\n"
    "\tgiven=(\"${(@Q)words[2,CURRENT-1]}\" \"${(Q)PREFIX}\")\n"
    "\tanswer=(\"${(@f)$(_call_program words ${words[1]} --complete ${(q)given} 2>/dev/null)}\")\n"
    "\tkind=$answer[1]\n"
    "\tcase $kind in\n"
    "\tprogram*)\n"
    "\t\tlocal -i n=${kind#program }+1\n"
    "\t\tshift n words\n"
    "\t\t(( CURRENT -= n ))\n"
    "\t\tif (( CURRENT == 1 )); then _command_names -e; _files; else _normal; fi\n"
    "\t\treturn;;\n"
    "\tesac\n"
    "\tfor line in \"${(@)answer[2,-1]}\"; do\n"
    "\t\t[[ -n $line ]] || continue\n"
    "\t\tshown+=(\"${${line%%$'\\t'*}//:/\\\\:}${${(M)line:#*$'\\t'*}:+:${line#*$'\\t'}}\")\n"
    "\tdone\n"
    "\tlocal -i found=1\n"
    "\tif (( $#shown )); then _describe -t words word shown && found=0; fi\n"
    "\tcase $kind in\n"
    "\tfiles) _files && found=0;;\n"
    "\tcaptures) _path_files -g '*.avc(-.)' && found=0; _path_files -/ && found=0;;\n"
    "\tesac\n"
    "\treturn found\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _auditview ]; then _auditview \"$@\"; else compdef _auditview "
    "auditview; fi\n";

static const char fish_script[] =
    "function __auditview_complete\n"
    "\tset -l given (commandline -opc)\n"
    "\tset -l word (commandline -ct)\n"
    "\tset -l answer ($given[1] --complete $given[2..-1] \"$word\" 2>/dev/null)\n"
    "\tswitch $answer[1]\n"
    "\tcase 'program*'\n"
    "\t\tset -l n (math (string replace 'program ' '' -- $answer[1]) + 2)\n"
    "\t\tif test (count $given) -ge $n\n"
    "\t\t\tcomplete -C (string join ' ' -- (string escape -- $given[$n..-1]) \"$word\")\n"
    "\t\telse\n"
    "\t\t\tcomplete -C \"$word\"\n"
    "\t\t\t__fish_complete_path \"$word\"\n"
    "\t\tend\n"
    "\t\treturn\n"
    "\tcase files\n"
    "\t\t__fish_complete_path \"$word\"\n"
    "\tcase captures\n"
    "\t\t__fish_complete_suffix .avc | string match -r '^[^\\t]*(?:\\\\.avc|/)(?:\\t.*)?$'\n"
    "\tend\n"
    "\tprintf '%s\\n' $answer[2..-1]\n"
    "end\n"
    "complete -c auditview -f -k -a '(__auditview_complete)'\n";

bool complete_script_add(struct strbuf *to, const char *shell)
{
	static const struct {
		const char *shell, *text;
	} scripts[] = { { "bash", bash_script }, { "zsh", zsh_script }, { "fish", fish_script } };
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		if (strcmp(scripts[i].shell, shell) == 0) {
			strbuf_adds(to, scripts[i].text);
			return true;
		}
	}
	return false;
}
