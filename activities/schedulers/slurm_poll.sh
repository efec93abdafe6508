# Set before: n, fresh (how old an answer may be, in seconds). A row of ours begins with our own number.
listing "$fresh"
[ "$heard" -eq 0 ] || printf '%s\n' "$said"
printf '%s asked %s\n' "$n" "$heard"

# Reads lines "KEY FOLDER" and prints the rows of these keys.
rows_of_these() {
  { cat && printf '%s\n' "$rows"; } |
    awk -F'|' -v n="$n" 'NF < 6 { sub(/ .*/, ""); wanted[$0]; next } $6 in wanted { print n "|" $0 }'
}
rows_of_all() { printf '%s\n' "$rows" | sed -n "s/^./$n|&/p"; }
