# shellcheck shell=sh
# Shared functions of run, test, setup, package and vulkan-check, which set $root and source this file.
# POSIX sh only: macOS has bash 3.2, small containers have no bash.
root=${root:?set by the script that sources this}

say() { printf 'magistrate: %s\n' "$*" >&2; }
# 2 is "error" in the exit codes of `magistrate check`: 0 and 1 are verdicts, and a failed build is neither.
die() { printf 'error: %s\n' "$*" >&2; exit 2; }
has() { command -v "$1" >/dev/null 2>&1; }

system=$(uname -s)
rust_min=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$root/Cargo.toml")
toolchain=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/magistrate/toolchain

target=${CARGO_TARGET_DIR:-${CARGO_BUILD_TARGET_DIR:-$root/target}}
case $target in /* | [A-Za-z]:*) ;; *) target=$PWD/$target ;; esac

features=$(printf '%s' "${MAGISTRATE_FEATURES-}" | tr -s ' ' ',')
[ "$system" != Darwin ] || features=metal${features:+,$features}

# llama.cpp refuses to be built for this CPU alone and for many at once.
case ,$features, in *,dynamic-backends,*) RUSTFLAGS=${RUSTFLAGS-} && export RUSTFLAGS ;; esac

# Runs a command in the repository, because cargo reads .cargo/config.toml from the current folder. A subshell keeps the
# caller's own folder. Messages go to stderr: stdout belongs to the product.
in_root() (cd "$root" && CARGO_TARGET_DIR=$target && export CARGO_TARGET_DIR && exec "$@")

# ---- the CPU ----------------------------------------------------------------------------------------------------------

# The instruction sets of this machine, as one number, or "portable" where RUSTFLAGS replaces target-cpu=native.
# Of Linux's flags only those that a compiler acts on: kernels add others as they are updated.
cpu_id() {
	case ${CARGO_ENCODED_RUSTFLAGS-${RUSTFLAGS-native}} in *native*) ;; *) echo portable; return ;; esac
	case $system in
	Linux) awk -F: '
		/^$/ { exit }
		/^(Features|CPU implementer|CPU part|isa)[[:space:]]*:/ { print $2 }
		/^flags[[:space:]]*:/ { n = split($2, flag, " "); for (i = 1; i <= n; i++) if (flag[i] ~ \
			/^(cx16|lahf_lm|popcnt|movbe|adx|s?sse|pni|avx|fma|f16c|xop|tbm|bmi|abm|aes|vaes|v?pclmul|sha|sm[34]|gfni|amx|movdir)/) \
			print flag[i] }' /proc/cpuinfo | cksum | tr ' ' - ;;
	Darwin) sysctl -n machdep.cpu.brand_string ;;
	*) uname -m ;;
	esac
}
cpu=$(cpu_id)

# cargo sees the flag "native" and not its meaning. On another CPU (a home folder on a network, a moved container, a
# restored cache) the target folder may contain instructions that this one lacks.
guard_cpu() {
	[ "$cpu" != portable ] || return 0
	note=$target/.magistrate-cpu
	if [ -f "$note" ] && [ "$(cat "$note")" != "$cpu" ]; then
		say "$target was built on another CPU: building again for this one"
		in_root cargo clean --release >&2 || die "cargo clean failed"
	fi
	mkdir -p "$target"
	printf '%s\n' "$cpu" >"$note"
	# ccache does not see it either: -march=native is the same text on every CPU.
	CCACHE_EXTRAFILES=$note${CCACHE_EXTRAFILES:+:$CCACHE_EXTRAFILES}
	export CCACHE_EXTRAFILES
}

# Succeeds if llama.cpp has been compiled here, with any features.
cpp_is_built() {
	set -- "$target"/release/build/llama-cpp-sys-2-*/output
	[ -e "$1" ]
}

say_first_build() {
	cpp_is_built || say "the first build compiles llama.cpp (C++) for this machine: some minutes, once. It stays in $target"
}

# ---- the tools --------------------------------------------------------------------------------------------------------

any_file() { for one; do [ ! -e "$one" ] || return 0; done; return 1; }

has_cxx() {
	[ "$system" != Darwin ] || { xcode-select -p >/dev/null 2>&1; return; }
	{ [ -n "${CC-}" ] || has cc || has gcc || has clang; } && { [ -n "${CXX-}" ] || has c++ || has g++ || has clang++; }
}

# bindgen loads libclang as a library, and libclang needs its own stddef.h beside it.
has_libclang() {
	[ -z "${LIBCLANG_PATH-}" ] || return 0
	case $system in
	Darwin) has_cxx ;; # comes with the command line tools
	Linux)
		any_file /usr/lib*/libclang[-.]*so* /usr/lib*/*/libclang[-.]*so* /usr/lib*/*/*/libclang[-.]*so* /usr/local/lib*/libclang[-.]*so* &&
			any_file /usr/lib*/clang/*/include/stddef.h /usr/lib*/*/lib*/clang/*/include/stddef.h /usr/local/lib*/clang/*/include/stddef.h
		;;
	*) has llvm-config || any_file "/c/Program Files/LLVM/bin/libclang.dll" /usr/local/llvm*/lib/libclang.so* ;;
	esac
}

new_enough() { # VERSION: succeeds from $rust_min on
	[ "${1%%.*}" -gt "${rust_min%%.*}" ] && return
	minor=${1#*.} least=${rust_min#*.}
	[ "${1%%.*}" -eq "${rust_min%%.*}" ] && [ "${minor%%.*}" -ge "${least%%.*}" ]
}

rust_is_new_enough() {
	rustc_version=$(cd "$root" && rustc --version 2>/dev/null | cut -d ' ' -f 2)
	[ -n "$rustc_version" ] && new_enough "$rustc_version"
}

# Adds the usual folders of cargo to PATH. If rustup's default is too old, takes an installed toolchain of $rust_min.
has_rust() {
	has cargo && rust_is_new_enough && return
	for bin in "${CARGO_HOME:-${HOME-}/.cargo}/bin" /opt/homebrew/opt/rustup/bin /usr/local/opt/rustup/bin; do
		[ -x "$bin/cargo" ] || continue
		case $PATH in "$bin":*) ;; *) PATH=$bin:$PATH ;; esac
		rust_is_new_enough && return
	done
	has rustup && [ -z "${RUSTUP_TOOLCHAIN-}" ] && rustup run "$rust_min" rustc --version >/dev/null 2>&1 || return 1
	RUSTUP_TOOLCHAIN=$rust_min
	export RUSTUP_TOOLCHAIN
}

# Uses the tools that an earlier setup installed in user space. The system's tools come first on PATH: they are maintained.
use_toolchain() {
	[ -d "$toolchain" ] || return 0
	# bin contains ninja, and a cmake script that needs the package on Python's path. The real cmake goes before it.
	case :$PATH: in *":$toolchain/bin:"*) ;; *) PATH=$PATH:$toolchain/cmake/data/bin:$toolchain/bin ;; esac
	if ! has_libclang && any_file "$toolchain"/clang/native/libclang.*; then
		LIBCLANG_PATH=$toolchain/clang/native
		# The package has no headers, and the compiler's fit.
		BINDGEN_EXTRA_CLANG_ARGS="-I$(${CC:-cc} -print-file-name=include)${BINDGEN_EXTRA_CLANG_ARGS:+ $BINDGEN_EXTRA_CLANG_ARGS}"
		export LIBCLANG_PATH BINDGEN_EXTRA_CLANG_ARGS
	fi
	# cmake uses make by default. Set only without make, because a build folder keeps its first generator.
	if ! has make && has ninja; then
		CMAKE_GENERATOR=${CMAKE_GENERATOR-Ninja}
		export CMAKE_GENERATOR
	fi
}

# Vulkan's loader and its headers, which come together. use_vulkan_headers checks their version.
has_vulkan() {
	[ -z "${VULKAN_SDK-}" ] || return 0
	any_file /usr/include/vulkan/vulkan.h /usr/local/include/vulkan/vulkan.h &&
		any_file /usr/lib*/libvulkan.so /usr/lib*/*/libvulkan.so /usr/local/lib*/libvulkan.so
}

has_spirv() { [ -n "${VULKAN_SDK-}" ] || any_file /usr/*/cmake/SPIRV-Headers /usr/local/*/cmake/SPIRV-Headers; }

# Prints the path of the manifest of Mesa's driver that computes on the CPU.
lavapipe() {
	for manifest in /usr/share/vulkan/icd.d/lvp_icd*.json /usr/local/share/vulkan/icd.d/lvp_icd*.json; do
		[ ! -e "$manifest" ] || { printf '%s\n' "$manifest"; return; }
	done
	return 1
}

# The tools that build llama.cpp and its backends of $features.
cpp_needs='cxx make cmake libclang'
case ,$features, in *,vulkan,*) cpp_needs="$cpp_needs glslc vulkan spirv" ;; esac

# Prints which of the NEEDS are not met: rust cxx make cmake libclang glslc vulkan spirv lavapipe.
lacking() {
	for need; do
		case $need in
		rust) has_rust ;;
		cxx) has_cxx ;;
		make) has make || has ninja ;;
		cmake) has cmake ;;
		libclang) has_libclang ;;
		glslc) has glslc || [ -n "${VULKAN_SDK-}" ] ;;
		vulkan) has_vulkan ;;
		spirv) has_spirv ;;
		lavapipe) lavapipe >/dev/null ;;
		esac || printf '%s ' "$need"
	done
}

# Asks on a terminal. Elsewhere the answer is yes.
confirm() {
	if [ -t 0 ] && [ -t 2 ]; then
		printf 'magistrate: missing: %s\nRun this now?  %s  [y/N] ' "${missing% }" "$*" >&2
		read -r answer || return 1
		case $answer in [yY]*) ;; *) return 1 ;; esac
	else
		say "missing: ${missing% }"
		say "+ $*"
	fi
}

# Sets $install to the command that installs the NEEDS from the system's packages, or to nothing on an unknown system.
system_command() {
	install='' packages=''
	if has apt-get; then
		names='cxx=g++ make=make cmake=cmake libclang=libclang-dev rust=rustup'
		names="$names glslc=glslc vulkan=libvulkan-dev spirv=spirv-headers lavapipe=mesa-vulkan-drivers"
		install='apt-get install -y --no-install-recommends'
	elif has dnf; then
		names='cxx=gcc-c++ make=make cmake=cmake libclang=clang-devel rust=rustup'
		names="$names glslc=glslc vulkan=vulkan-loader-devel spirv=spirv-headers-devel lavapipe=mesa-vulkan-drivers"
		install='dnf install -y'
	elif has pacman; then
		names='cxx=gcc make=make cmake=cmake libclang=clang rust=rustup'
		names="$names glslc=shaderc vulkan=vulkan-icd-loader vulkan=vulkan-headers spirv=spirv-headers lavapipe=vulkan-swrast"
		install='pacman -S --needed --noconfirm'
	elif has brew; then
		names='cmake=cmake rust=rustup'
		install='brew install'
	else
		return 0
	fi
	for need; do
		for name in $names; do
			[ "${name%%=*}" != "$need" ] || packages="$packages ${name#*=}"
		done
	done
	[ -n "$packages" ] || { install=''; return 0; }
	install=$install$packages
	case $install in brew*) ;; *) [ "$(id -u)" -eq 0 ] || install="sudo $install" ;; esac
}

# Succeeds if the command in $install may run. Without a terminal, only if it asks for no password.
may_install() {
	case $install in
	'') return 1 ;;
	sudo*) has sudo && { { [ -t 0 ] && [ -t 2 ]; } || { [ -n "${CI-}" ] && sudo -n true 2>/dev/null; }; } ;;
	esac
}

install_from_system() {
	system_command "$@"
	may_install && confirm "$install" || return 0
	# Word splitting is meant: the command was built from plain words.
	# shellcheck disable=SC2086
	case $install in
	*apt-get*)
		sudo=${install%%apt-get*}
		export DEBIAN_FRONTEND=noninteractive
		# A fresh image has no package lists, and an old one lists removed packages.
		apt-cache show $packages >/dev/null 2>&1 || $sudo apt-get update -q >&2 || :
		apt-cache show $packages >/dev/null 2>&1 || return 0 # not in this release, as rustup before Debian 13
		$install >&2 || { $sudo apt-get update -q >&2 && $install >&2; } || :
		;;
	*) $install >&2 || : ;;
	esac
}

# Installs the same tools as packages of the Python index, in a folder of their own, without root or changes to the system's
# Python. All of them at once, because pip does not add to such a folder.
install_in_user_space() {
	case "$*" in *make* | *libclang*) ;; *) return 0 ;; esac
	has_cxx && has python3 && python3 -m pip --version >/dev/null 2>&1 || return 0
	packages='cmake==4.4.4 ninja==1.13.2'
	[ "$system" = Darwin ] || packages="$packages libclang==18.1.1"
	confirm "python3 -m pip install --target '$toolchain' $packages" || return 0
	rm -rf "$toolchain"
	# shellcheck disable=SC2086
	PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check \
		--target "$toolchain" $packages >&2 || rm -rf "$toolchain"
}

rustup_line="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c clippy -c rustfmt"

install_rust() {
	has rustup || has rustup-init || install_from_system rust
	if has rustup && [ -z "$(rustc --version 2>/dev/null)" ]; then # just installed, without a toolchain
		confirm "rustup default stable" || return 0
		rustup default stable >&2 || :
	elif has rustup; then # beside the user's default, which stays
		confirm "rustup toolchain install $rust_min --profile minimal -c clippy -c rustfmt" || return 0
		rustup toolchain install "$rust_min" --profile minimal -c clippy -c rustfmt >&2 || :
	elif has rustup-init; then # Fedora's package and Homebrew's
		confirm "rustup-init -y --no-modify-path --profile minimal -c clippy -c rustfmt" || return 0
		rustup-init -y --no-modify-path --profile minimal -c clippy -c rustfmt >&2 || :
	elif [ -t 0 ] && [ -t 2 ] && has curl; then # a script from the net: never unasked
		confirm "$rustup_line" || return 0
		sh -c "$rustup_line" >&2 || :
	fi
}

# Installs missing NEEDS, or exits with their names and hints.
require() {
	use_toolchain
	has_rust || : # puts cargo on PATH, which lacking's subshell would not keep
	missing=$(lacking "$@")
	[ -n "$missing" ] || { use_vulkan_headers "$@"; return; }
	tools=$(printf '%s' "$missing" | sed 's/rust //')
	# Lists of plain words, here and below.
	# shellcheck disable=SC2086
	[ -z "$tools" ] || install_from_system $tools
	case $missing in *rust*) missing='rust ' && install_rust && { has_rust || :; } ;; esac
	missing=$(lacking "$@")
	# shellcheck disable=SC2086
	[ -z "$missing" ] || install_in_user_space $missing
	use_toolchain
	missing=$(lacking "$@")
	[ -z "$missing" ] || explain
	use_vulkan_headers "$@"
}

# llama.cpp's Vulkan backend needs headers of 1.3.272 or newer, and Debian 12 has 1.3.239. The crate vk-mem contains newer
# ones. cargo fetches and checks it like any other crate, and never compiles it. cmake looks into CMAKE_INCLUDE_PATH first, and
# for Vulkan alone. In CPATH or CXXFLAGS the folder would apply to all of the C++, and ccache would not see it.
use_vulkan_headers() {
	case " $* " in *' vulkan '*) ;; *) return 0 ;; esac
	[ -z "${VULKAN_SDK-}${CMAKE_INCLUDE_PATH-}" ] || return 0
	for headers in /usr/local/include /usr/include; do
		[ ! -e "$headers/vulkan/vulkan_core.h" ] || break
	done
	awk '/define VK_HEADER_VERSION / { patch = $3 }
		/define VK_HEADER_VERSION_COMPLETE / { split($0, part, /[(,] */); version = part[3] * 1000 + part[4] }
		END { exit version * 1000 + patch < 1003272 }' "$headers/vulkan/vulkan_core.h" && return
	fetcher=$target/vulkan-headers
	mkdir -p "$fetcher/src" || die "cannot write to $target"
	: >"$fetcher/src/lib.rs"
	printf '[package]\nname = "vulkan-headers"\nversion = "0.0.0"\n[dependencies]\nvk-mem = "=0.5.0"\n[workspace]\n' >"$fetcher/Cargo.toml"
	headers=$(cd "$fetcher" && cargo metadata --quiet --format-version 1 |
		sed -n 's,.*"manifest_path":"\([^"]*vk-mem-0\.5\.0\)/Cargo\.toml".*,\1/vendor/Vulkan-Headers/include,p')
	[ -e "$headers/vulkan/vulkan.hpp" ] ||
		die "Vulkan's headers are too old, and the crate vk-mem with newer ones cannot be fetched: put them into CMAKE_INCLUDE_PATH"
	CMAKE_INCLUDE_PATH=$headers
	export CMAKE_INCLUDE_PATH
}

explain() {
	printf 'error: missing, and cannot be installed from here: %s\n' "${missing% }" >&2
	others=''
	for need in $missing; do
		case $need in
		rust)
			printf 'hint: Rust %s or newer: %s\n' "$rust_min" "$rustup_line" >&2
			! has rustup || printf 'hint: with the installed rustup: rustup toolchain install %s\n' "$rust_min" >&2
			! has rustc || printf 'note: found %s\n' "$(rustc --version 2>&1 | head -n 1)" >&2
			;;
		*) others="$others$need " ;;
		esac
	done
	[ -n "$others" ] || exit 2
	# shellcheck disable=SC2086
	system_command $others
	if [ "$system" = Darwin ]; then
		case $others in *cxx* | *libclang*) echo 'hint: xcode-select --install' >&2 ;; esac
	fi
	if [ -n "$install" ]; then
		printf 'hint: %s\n' "$install" >&2
	elif [ "$system" != Darwin ]; then
		printf 'hint: a C and a C++ compiler, make or ninja, cmake, and libclang with its headers, from your packages\n' >&2
		case $others in *glslc* | *vulkan* | *spirv* | *lavapipe*)
			echo "hint: for Vulkan glslc, Vulkan's loader and headers, SPIR-V's headers, and a driver, such as Mesa's" >&2
			;;
		esac
	fi
	case $others in *cxx* | *glslc* | *vulkan* | *spirv* | *lavapipe*) ;; *)
		has python3 && python3 -m pip --version >/dev/null 2>&1 ||
			printf 'hint: without root: with python3 and its pip here, this script installs them for your user alone\n' >&2
		;;
	esac
	exit 2
}
