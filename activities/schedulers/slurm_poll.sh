# One query for all jobs of this account: one of a few ids would load all jobs of the cluster. Every row begins with a
# number nobody can know beforehand, for the name of a job may hold line breaks and look like a row.
timeout 45 squeue --noheader --user="$who" --states=all --format="$n|%i|%F|%T|%r|%N|%j" </dev/null 2>&1
heard=$?
printf '%s asked %s\n' "$n" "$heard"
