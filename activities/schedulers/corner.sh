# Where what concerns all jobs of this account is kept: SCRATCH/.howdah/UID. Others may share the scratch, so it must be
# our own and nobody else's to look into. Set before: scratch. Sets corner, which is empty where there can be none.
# Nothing is made without the scratch: that would hide that its disk is not there.
#
# We go there, and corner is a dot: whoever made .howdah first may put something else in our place at any moment, and
# what was true of a name a moment ago need not be any more. Whoever minds where he is does this in a subshell.
open_corner() {
  uid=$(id -u)
  common=$scratch/.howdah
  if [ -d "$scratch" ] && [ ! -d "$common/$uid/ended" ] && [ ! -L "$common" ]; then
    # Who may make folders beside ours may do so here, too.
    [ -d "$common" ] || mkdir -m "$(stat -c %a "$scratch" || echo 700)" "$common"
    mkdir -m 700 "$common/$uid"
    mkdir -m 700 "$common/$uid/ended"
  fi 2>/dev/null
  corner=
  { cd -P "$common/$uid" && [ -O . ] && [ ! -L ended ] && [ -O ended ]; } 2>/dev/null || return 0
  case $PWD in */.howdah/"$uid") corner=. ;; esac
}

# The keys on the board, in no order and without a look at each.
board() { [ -z "$corner" ] || ls -f "$corner/ended" 2>/dev/null | grep -a '^hd-[A-Za-z0-9._-]*$'; }

# Once a day somebody removes what nobody has wanted for a month: it may be of an installation that is no more. Keys go
# after a week: everybody who looks reads them all, and folders that are kept would let them grow without end.
sweep_corner() {
  [ -n "$corner" ] || return 0
  today=$(($(date +%s) / 86400))
  swept=
  [ -f "$corner/swept" ] && IFS= read -r swept <"$corner/swept"
  [ "$swept" = "$today" ] && return 0
  { printf '%s\n' "$today" >"$corner/swept"; } 2>/dev/null || return 0
  timeout 20 find "$corner" -type f \( -mtime +30 -o -name 'hd-*' -mtime +7 -o -name 'new.*' -mtime +1 \) -exec rm -f {} + \
    </dev/null 2>/dev/null
}
