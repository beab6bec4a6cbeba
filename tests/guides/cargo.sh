#!/bin/sh
# Cargo, with dependencies that are compiled once for all tests. A new workspace gets a lock file, so that cargo
# resolves no versions.
export CARGO_NET_OFFLINE=true
for setting in LTO=off CODEGEN_UNITS=16 OPT_LEVEL=0; do
    export "CARGO_PROFILE_RELEASE_$setting"
done
# Intermediate artifacts only: programs go to `target`, as for a user.
case "$PWD" in
*/container) export CARGO_BUILD_BUILD_DIR="$GUIDE_TARGET/containers" ;;
*) export CARGO_BUILD_BUILD_DIR="$GUIDE_TARGET/handlers" ;;
esac
workspace=$("$GUIDE_CARGO" locate-project --workspace --message-format plain 2>/dev/null)
lock="${workspace%Cargo.toml}Cargo.lock"
if [ -n "$workspace" ] && [ ! -e "$lock" ]; then
    cp "$GUIDE_LOCK" "$lock"
fi
exec "$GUIDE_CARGO" "$@"
