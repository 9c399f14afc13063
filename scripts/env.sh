# Sourced by the other scripts, and by a developer's bash: `. scripts/env.sh`.
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

# can_build_wasm TOOLCHAIN: is it recent enough, with a standard library for wasm32
# that it can read? `default` is the one that a plain `cargo` uses.
can_build_wasm() {
    local rustc=(rustc) version sysroot stamp
    [ "$1" = default ] || rustc=(rustup run "$1" rustc)
    version=$("${rustc[@]}" --version 2>/dev/null) || return 1
    at_least "$minimum_rust" "$(cut -d ' ' -f 2 <<<"$version")" || return 1
    sysroot=$("${rustc[@]}" --print sysroot) || return 1
    stamp=$sysroot/lib/rustlib/wasm32-unknown-unknown/built-by
    # Only a library that scripts/setup built has a stamp; rustup keeps its own in step.
    [ ! -f "$stamp" ] || [ "$(cat "$stamp")" = "$version" ] || return 1
    compgen -G "$sysroot/lib/rustlib/wasm32-unknown-unknown/lib/libstd*.rlib" >/dev/null
}

# choose_toolchain: uses the first that can build all: what the user chose, rustup's
# stable, or `web`, which scripts/setup links where rustup cannot add the target.
choose_toolchain() {
    local toolchain
    for toolchain in default stable web; do
        if can_build_wasm $toolchain; then
            [ $toolchain = default ] || export RUSTUP_TOOLCHAIN=$toolchain
            return 0
        fi
    done
    return 1
}
choose_toolchain || true

# The browser of the tests.
if [ -z "${CHROMIUM:-}" ]; then
    CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
    export CHROMIUM
fi

PATH="$tools/cargo-leptos-$cargo_leptos_version/bin:$root/node_modules/.bin:$PATH"
[ ! -f "$root/Cargo.lock" ] || PATH="$tools/wasm-bindgen-$(wasm_bindgen_version)/bin:$PATH"
export PATH
