# Sourced by the other scripts, and by a developer's shell: `. scripts/env.sh`.
#
# Chooses the Rust toolchain that can build for wasm32 and puts the project's
# own tools (cargo-leptos, wasm-bindgen, Tailwind, wasm-opt) first on PATH.
# It installs nothing; scripts/setup does.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Tools live outside the checkout, so that a second clone does not build them again.
tools=${PODIUM_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/podium/tools}

# The oldest compiler that the pinned cargo-leptos builds with.
minimum_rust=1.96

# Version of the wasm-bindgen crate in Cargo.lock: its CLI must be the same.
wasm_bindgen_version() {
    sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p;}' "$root/Cargo.lock"
}

cargo_leptos_version=0.3.11

# at_least WANTED FOUND: is version FOUND the same as WANTED or later?
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# can_build_wasm [TOOLCHAIN]: is it recent enough, with a standard library for wasm32?
can_build_wasm() {
    local rustc=(rustc)
    [ -z "${1:-}" ] || rustc=(rustup run "$1" rustc)
    local version sysroot
    version=$("${rustc[@]}" --version 2>/dev/null | cut -d ' ' -f 2) && [ -n "$version" ] || return 1
    at_least "$minimum_rust" "$version" || return 1
    sysroot=$("${rustc[@]}" --print sysroot) || return 1
    compgen -G "$sysroot/lib/rustlib/wasm32-unknown-unknown/lib/libstd*.rlib" >/dev/null
}

# The toolchain `web` is the one that scripts/setup links where rustup cannot add the target.
if [ -z "${RUSTUP_TOOLCHAIN:-}" ] && ! can_build_wasm && can_build_wasm web; then
    export RUSTUP_TOOLCHAIN=web
fi

PATH="$tools/cargo-leptos-$cargo_leptos_version/bin:$root/node_modules/.bin:$PATH"
[ ! -f "$root/Cargo.lock" ] || PATH="$tools/wasm-bindgen-$(wasm_bindgen_version)/bin:$PATH"
export PATH
