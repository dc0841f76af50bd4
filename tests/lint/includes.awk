# The rules of includes.sh, over the files given, with paths from the top of the tree.

BEGIN {
	# a layer, and whose headers it may include besides its own
	may["shared"] = ""
	may["supervisor"] = "shared"
	may["supervisor/fleet"] = "supervisor shared"
	may["supervisor/mcp"] = "supervisor/fleet supervisor shared"
	may["supervisor/front"] = "supervisor/mcp supervisor/fleet supervisor shared"
	may["supervisor/ops"] = "supervisor/front supervisor/mcp supervisor/fleet supervisor shared"
	may["supervisor/main.c"] = "supervisor/ops " may["supervisor/ops"]
	may["ctl"] = "shared"
	may["workers/common"] = "shared"
	may["workers/exec"] = "shared"
	# workers/<domain>: workers/common shared; tests: all
}

function layer_of(path,   parts) {
	if (path ~ /^supervisor\/main(_[a-z]+)?\.[ch]$/)
		return "supervisor/main.c"
	if (path in may)
		return path
	split(path, parts, "/")
	if (path ~ /^(supervisor|workers)\/[^\/]+\//)
		return parts[1] "/" parts[2]
	return parts[1]
}

function allowed(from, to,   list) {
	if (from == to || from == "tests")
		return 1
	list = from in may ? may[from] : "workers/common shared"
	return index(" " list " ", " " to " ") > 0
}

function complain(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text
}

function check(path,   from, to) {
	from = layer_of(FILENAME)
	to = layer_of(path)
	if (path == "config.h")
		return
	if (path ~ /\.\./ || path !~ /^(shared|supervisor|ctl|workers|tests)\//)
		complain("the path of \"" path "\" does not start at the top")
	else if (!allowed(from, to))
		complain(from " must not include \"" path "\" (" to ")")
}

FNR == 1 {
	own = FILENAME
	sub(/\.c$/, ".h", own)
	seen_include = 0
	if (FILENAME ~ /\.h$/)
		unguarded[FILENAME] = 1
}

/^#pragma once$/ {
	delete unguarded[FILENAME]
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
	path = $0
	sub(/^[^"<]*["<]/, "", path)
	sub(/[">].*$/, "", path)
	if (!seen_include++ && own != FILENAME)
		first[FILENAME] = path
	if ($0 ~ /</ && path ~ /^(shared|supervisor|ctl|workers|tests)\//)
		complain("our own headers stand in quotes")
	else if ($0 ~ /include[ \t]*"/)
		check(path)
}

END {
	for (file in unguarded)
		printf "%s:1: no #pragma once\n", file
	for (file in first) {
		own = file
		sub(/\.c$/, ".h", own)
		if (first[file] != own && (getline line < own) >= 0)
			printf "%s:1: the own header, \"%s\", has to be included first\n", file, own
	}
}
