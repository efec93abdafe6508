# Does flock keep others out on this file system? Set before: scratch, as configured.
case $scratch in "~/"*) scratch=$HOME/${scratch#??} ;; esac
scratch=$(printf '%s' "$scratch" | sed -e "s,{user},$(id -un),g" -e "s,{home},$HOME,g")
lock=$scratch/.lock-check.$$
if ! command -v flock >/dev/null; then
  echo "hd1 flock missing"
elif mkdir -p "$scratch" && true >>"$lock"; then
  exec 9>>"$lock"
  if flock -n 9 && ! flock -n "$lock" true; then echo "hd1 flock works"; else echo "hd1 flock refused"; fi
  rm -f "$lock"
else
  echo "hd1 flock unwritable"
fi
