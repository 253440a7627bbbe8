# A file of records grouped and changed.
if [ "$1" = check ]; then echo jq; command -v jq >/dev/null; exit; fi
exec jq -c 'group_by(.name | split("-")[0]) | map({k: .[0].name, n: length, x: (map(.at.x) | add), t: (map(.tags) | add | unique)})' records.json
