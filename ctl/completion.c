/* mcp-fleetctl completion: the scripts by which a shell completes its words. They ask '__complete' at each Tab;
 * names of domains, tools and sessions are those of the daemon that runs. */
#include <stdio.h>

#include "ctl/args.h"

/* bash breaks words at "=" and ":" too, and replaces only what is behind the last of them. */
static const char bash_script[] =
	"# bash completion of mcp-fleetctl; made by: mcp-fleetctl completion bash\n"
	"_mcp_fleetctl() {\n"
	"	local line=${COMP_LINE:0:COMP_POINT} word cut='' candidate\n"
	"	word=${line##*[[:space:]]}\n"
	"	[[ $COMP_WORDBREAKS == *=* && $word == *=* ]] && cut=${word%\"${word##*=}\"}\n"
	"	[[ $COMP_WORDBREAKS == *:* && ${word#\"$cut\"} == *:* ]] && cut=${word%\"${word##*:}\"}\n"
	"	COMPREPLY=()\n"
	"	while IFS=$'\\t' read -r candidate _; do\n"
	"		if [[ $candidate == :files ]]; then\n"
	"			compopt -o default 2>/dev/null\n"
	"			return\n"
	"		fi\n"
	"		COMPREPLY+=(\"${candidate#\"$cut\"}\")\n"
	"		[[ $candidate == *= ]] && compopt -o nospace 2>/dev/null\n"
	"	done < <(\"${COMP_WORDS[0]}\" __complete -- \"$line\" 2>/dev/null)\n"
	"}\n"
	"complete -F _mcp_fleetctl mcp-fleetctl\n";

static const char zsh_script[] =
	"#compdef mcp-fleetctl\n"
	"# zsh completion of mcp-fleetctl; made by: mcp-fleetctl completion zsh\n"
	"_mcp_fleetctl() {\n"
	"	local -a names described open\n"
	"	local candidate doc\n"
	"	while IFS=$'\\t' read -r candidate doc; do\n"
	"		if [[ $candidate == :files ]]; then\n"
	"			_files\n"
	"			return\n"
	"		fi\n"
	"		if [[ $candidate == *= ]]; then\n"
	"			open+=(\"$candidate\")\n"
	"		else\n"
	"			names+=(\"$candidate\")\n"
	"			described+=(\"$candidate${doc:+  -- $doc}\")\n"
	"		fi\n"
	"	done < <(\"${(Q)words[1]}\" __complete -- \"${(j: :)words[1,CURRENT]}\" 2>/dev/null)\n"
	"	(( $#names )) && compadd -l -d described -- \"${names[@]}\"\n"
	"	(( $#open )) && compadd -S '' -- \"${open[@]}\"\n"
	"	return 0\n"
	"}\n"
	"if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
	"	_mcp_fleetctl \"$@\"\n"
	"else\n"
	"	compdef _mcp_fleetctl mcp-fleetctl\n"
	"fi\n";

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	(void)fputs(streq(args_at(args, 0), "bash") ? bash_script : zsh_script, stdout);
	return CTL_DONE;
}

const struct verb verb_completion = {
	.name = "completion",
	.args = "bash|zsh",
	.summary = "print the completion script of a shell",
	.help = "bash: mcp-fleetctl completion bash > /etc/bash_completion.d/mcp-fleetctl\n"
		"      or in ~/.bashrc: eval \"$(mcp-fleetctl completion bash)\"\n"
		"zsh:  mcp-fleetctl completion zsh > a folder of $fpath/_mcp-fleetctl\n"
		"\n"
		"Domains, tools, their arguments and sessions are asked of the daemon at each Tab.",
	.word = CTL_WORD_CHOICE,
	.choices = "bash zsh",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
