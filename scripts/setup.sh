#!/usr/bin/env bash
# Install what building and testing Burnish needs: Debian or Ubuntu packages, and a virtual environment in .venv/.
#
#   scripts/setup.sh            what ./demo and ./check need
#   scripts/setup.sh --cuda     and CUDA's headers and compiler, unless a toolkit is there
#   scripts/setup.sh --peers    and PyTorch, OpenVINO, ...: to export models and to measure beside other runtimes
#   scripts/setup.sh --all      and the sanitizers' compiler and the data sets of ./check --all
#
# Installs only what is missing, and asks neither the network nor for root when nothing is. PYTHON names the Python to
# use (3.11 or newer; default: the newest found).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

required=(
  g++ cmake ninja-build pkg-config unzip ca-certificates python3 python3-venv python3-dev
  libdnnl-dev libhwy-dev libfmt-dev libspdlog-dev libcli11-dev nlohmann-json3-dev libzstd-dev libxxhash-dev
  libprotozero-dev libgtest-dev libgmock-dev
)
# Without these something is left out: faster rebuilds, a kind of test. Not every release has all of them.
optional=(ccache libbenchmark-dev librapidcheck-dev libonnx-testdata)
requirements=(scripts/requirements.txt)
for argument in "$@"; do
  case $argument in
    --cuda) [ -e "${CUDA_HOME:-/usr/local/cuda}/include/cuda.h" ] || requirements+=(scripts/requirements-cuda.txt) ;;
    --peers) requirements+=(scripts/requirements-peers.txt) ;;
    --all)
      requirements+=(scripts/requirements-peers.txt)
      optional+=(clang-16 libclang-rt-16-dev llvm-16 clang-format clang-tidy qemu-user fonts-dejavu-core
                 pocketsphinx-testdata dataset-fashion-mnist)
      ;;
    *) echo "usage: scripts/setup.sh [--cuda] [--peers] [--all]" >&2; exit 2 ;;
  esac
done

say() { echo "setup: $*"; }
fail() { echo "setup: error: $*" >&2; exit 1; }

# Prints those of the given packages that are not installed.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | awk '$2 == "installed" {print $1}') || true
  printf '%s\n' "$@" | grep -vxF -e "${installed:-none}" || true
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
  command -v dpkg-query > /dev/null || fail "this is no Debian or Ubuntu; install by hand: ${required[*]}"
  local unavailable=build/setup/unavailable wanted have=() package
  mkdir -p build/setup
  touch $unavailable
  mapfile -t wanted < <(missing_packages "${required[@]}" "${optional[@]}" | grep -vxFf $unavailable)
  [ ${#wanted[@]} = 0 ] && return
  [ "$(id -u)" = 0 ] || command -v sudo > /dev/null || fail "run as root, or install sudo; missing: ${wanted[*]}"

  say "looking for packages: ${wanted[*]}"
  as_root apt-get update -qq || say "apt-get update failed; going on with the lists at hand"
  for package in "${wanted[@]}"; do
    if apt-cache show "$package" > /dev/null 2>&1; then
      have+=("$package")
    elif [[ " ${required[*]} " == *" $package "* ]]; then
      fail "this release has no package $package, which Burnish needs (Debian 12 and Ubuntu 24.04 or newer have it)"
    else
      say "this release has no package $package: going on without it"
      echo "$package" >> $unavailable
    fi
  done
  [ ${#have[@]} = 0 ] && return
  say "installing ${have[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${have[@]}" > build/setup/apt.log 2>&1 ||
    { tail -n 20 build/setup/apt.log >&2; fail "apt-get could not install the packages above (whole log: build/setup/apt.log)"; }
}

# Prints the Python to use: new enough, and able to make a virtual environment.
find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3}; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' > /dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  fail "no Python 3.11 or newer with the venv module; PYTHON=... names one"
}

make_venv() {
  local folder python file wanted=()
  folder=$(readlink -m .venv)
  if ! "$folder/bin/python" -c 'import pip' > /dev/null 2>&1; then
    python=$(find_python)
    say "making .venv with $python"
    "$python" -m venv --clear "$folder"
  fi
  for file in "${requirements[@]}"; do
    cmp -s "$file" "$folder/installed-${file##*/}" || wanted+=("$file")
  done
  [ ${#wanted[@]} = 0 ] && return
  say "installing Python packages: ${wanted[*]}"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${requirements[@]/#/--requirement=}" ||
    fail "pip could not install the packages of ${wanted[*]}"
  for file in "${wanted[@]}"; do cp "$file" "$folder/installed-${file##*/}"; done
}

install_packages
make_venv
