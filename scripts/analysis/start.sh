#!/bin/sh
# start.sh DIRECTORY COMMAND ...: runs a command and writes how it ended to DIRECTORY/status; see
# recorder.py. Ctrl-C is for the command, and no end of this.
trap : INT
directory=$1
shift
if command -v "$1" >/dev/null; then
    "$@"
    how="ended $?"
else
    how="unstarted there is no such program"
fi
echo "$how" >"$directory/status.new"
mv "$directory/status.new" "$directory/status"
