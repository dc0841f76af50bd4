/* Files that are small, written by hand and missed at once: what would empty one by mistake is refused
 * by the writing tools of files (code_write, code_delete) and of git (git_smart_commit). */
#pragma once

#include <stdbool.h>

/* By the last component of `path`: .gitignore .env .env.local Dockerfile package.json. */
bool precious_file(const char *path);
