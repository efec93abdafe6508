#!/bin/sh
# Make the namespace and its search attributes. May run as often as one likes. Straight after a namespace was made parts
# of the server do not know it yet, so everything is tried for a minute.
set -eu
: "${TEMPORAL_ADDRESS:?}" "${TEMPORAL_NAMESPACE:?}" "${HOWDAH_RETENTION:?}"

persistently() {
  for _ in $(seq 30); do
    "$@" && return
    sleep 2
  done
  echo "gave up: $*" >&2
  return 1
}

namespace_is_there() {
  temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$HOWDAH_RETENTION"
}

attribute_is_there() {
  temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$1" --type Keyword
}

persistently temporal operator cluster health
persistently namespace_is_there
for name in HowdahState HowdahSite HowdahProject HowdahOwner HowdahWaiting; do
  persistently attribute_is_there "$name"
done
