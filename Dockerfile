# The container that a person works in: Python 3.9, everything of environment.lock, and a user.
#
# The layers, from the one that changes least to the one that changes most:
#
#   base image > Debian packages > torch and CUDA > big wheels > the other wheels > the user
#
# Each layer of Python packages is built from its own part of environment.lock, cut out in a stage
# before it. BuildKit compares the part's content, so a new package in environment.txt leaves the
# layers below untouched: docs/decisions/image-layers.md.
#
# No `syntax` line: it would make BuildKit pull a frontend, and a site without a registry has none.
#
# Behind a proxy that breaks TLS open: `--secret id=ca,src=BUNDLE.pem`. A package index of your own,
# with its password: `--secret id=index,env=PIP_INDEX_URL`; further ones: `id=extra_index`. No layer
# holds any of them.
ARG BASE_IMAGE=python:3.9-slim-bookworm


FROM ${BASE_IMAGE} AS python
SHELL ["/bin/sh", "-euc"]


# The parts of environment.lock, without its comments. All else waits for them, so the base is
# checked here, where its name is not part of what the other layers are keyed by.
FROM python AS pins
ARG BASE_IMAGE
RUN found=$(python3 --version 2>&1) || found="no python3 that starts"; \
    case "$found" in \
        "Python 3.9."*) ;; \
        *) echo "BASE_IMAGE is ${BASE_IMAGE}, which has ${found}: Slipway needs Python 3.9." >&2; exit 1 ;; \
    esac
COPY environment.lock /
RUN <<'END'
python3 - <<'PYTHON'
import re

PARTS = {
    # The installer, and what builds the few packages that come as source.
    "tools": r"uv|setuptools",
    # 80 % of the bytes, and moves with torch alone.
    "heavy": r"torch|triton|nvidia-.*",
    # Most of the remaining bytes: what else is added, removed or moved leaves them alone.
    "big": r"botocore|datasets|debugpy|grpcio|hf-xet|hypothesis|jedi|jupyterlab|llvmlite|matplotlib"
           r"|mypy|networkx|numba|numpy|obstore|pandas|pillow|plotly|py-spy|pyarrow|ray|ruff"
           r"|scikit-learn|scipy|sympy|tensorboard|tensorboard-data-server|tokenizers|torchvision"
           r"|transformers|uv|wandb",
}
pins = re.findall(r"^[^\s#].*(?:\n +--hash.*)*", open("/environment.lock").read(), re.MULTILINE)
placed = set()
for part, pattern in PARTS.items():
    mine = [pin for pin in pins if re.fullmatch(pattern, re.split("[=;@ ]", pin)[0])]
    open(f"/{part}.txt", "w").write("\n".join(mine) + "\n")
    if part != "tools":
        placed.update(mine)
open("/rest.txt", "w").write("\n".join(pin for pin in pins if pin not in placed) + "\n")
PYTHON
END


# uv and setuptools at the versions and with the hashes of the lock, and how uv is called.
FROM python AS installer
RUN --mount=type=bind,from=pins,source=/tools.txt,target=/pins.txt \
    --mount=type=secret,id=ca --mount=type=secret,id=index --mount=type=secret,id=extra_index \
    --mount=type=secret,id=unreached <<'END'
mkdir /opt/installer
cat >/opt/installer/indexes <<'INDEXES'
# Sourced: names the package indexes of the build's secrets, if there are any, to pip and to uv.
if [ -s /run/secrets/index ]; then
    PIP_INDEX_URL=$(cat /run/secrets/index)
    export PIP_INDEX_URL UV_DEFAULT_INDEX="$PIP_INDEX_URL"
fi
if [ -s /run/secrets/extra_index ]; then
    # uv's may have names, NAME=URL, which pip does not know.
    PIP_EXTRA_INDEX_URL=$(sed -E 's/(^|[[:space:]])[A-Za-z0-9_-]+=/\1/g' /run/secrets/extra_index)
    export PIP_EXTRA_INDEX_URL UV_INDEX="$PIP_EXTRA_INDEX_URL"
fi
if [ -s /run/secrets/unreached ]; then export PIP_RETRIES=0 UV_OFFLINE=1; fi
INDEXES
. /opt/installer/indexes
if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi
python3 -m venv /opt/bootstrap
/opt/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir \
    --no-compile --require-hashes --target /opt/installer -r /pins.txt
cat >/opt/installer/install <<'INSTALL'
#!/bin/sh -eu
# install PINS: make /opt/environment and put the packages of one part of the lock into it.
if [ -s /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca; fi
. /opt/installer/indexes
# The user inside has the host's uid, which is only known in the last step. Handing the venv over
# with chown would write its 8 GB a second time, so it is everybody's from the start.
umask 0
export VIRTUAL_ENV=/opt/environment PATH="/opt/installer/bin:$PATH"
# The cache is a mount, from which nothing can be linked into a layer.
export UV_LINK_MODE=copy
uv --quiet venv --python python3 --prompt slipway "$VIRTUAL_ENV"
# Builds from source use the setuptools of the lock, not what an index has today.
export PYTHONPATH=/opt/installer
exec uv pip install --no-deps --require-hashes --no-build-isolation -r "$1"
INSTALL
chmod +x /opt/installer/install
END


# The parts are installed side by side, each in a stage with nothing big below it: before a step
# that mounts a secret, BuildKit reads and hashes everything below, a second for each GB.
FROM python AS big
RUN --mount=type=bind,from=installer,source=/opt/installer,target=/opt/installer \
    --mount=type=bind,from=pins,source=/big.txt,target=/pins.txt \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=secret,id=ca --mount=type=secret,id=index --mount=type=secret,id=extra_index \
    --mount=type=secret,id=unreached \
    /opt/installer/install /pins.txt


FROM python AS rest
RUN --mount=type=bind,from=installer,source=/opt/installer,target=/opt/installer \
    --mount=type=bind,from=pins,source=/rest.txt,target=/pins.txt \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=secret,id=ca --mount=type=secret,id=index --mount=type=secret,id=extra_index \
    --mount=type=secret,id=unreached \
    /opt/installer/install /pins.txt


FROM python AS system
# Those of apt.txt that the base lacks; no download if it lacks none.
RUN --mount=type=bind,source=apt.txt,target=/apt.txt \
    --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    --mount=type=secret,id=ca <<'END'
missing=""
for package in $(sed 's/#.*//' /apt.txt); do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    if [ "$status" != installed ]; then missing="$missing $package"; fi
done
if [ -z "$missing" ]; then exit 0; fi
export DEBIAN_FRONTEND=noninteractive
# As root, since apt's own user may neither read the secret nor write to the mounts.
options="-o Acquire::Retries=3 -o APT::Sandbox::User=root"
if [ -s /run/secrets/ca ]; then options="$options -o Acquire::https::CAInfo=/run/secrets/ca"; fi
apt-get $options update
apt-get $options install --yes --no-install-recommends $missing
END


FROM system AS environment
# Not copied from a stage of its own, as the others are: that would write it twice.
RUN --mount=type=bind,from=installer,source=/opt/installer,target=/opt/installer \
    --mount=type=bind,from=pins,source=/heavy.txt,target=/pins.txt \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=secret,id=ca --mount=type=secret,id=index --mount=type=secret,id=extra_index \
    --mount=type=secret,id=unreached \
    /opt/installer/install /pins.txt
COPY --from=big /opt/environment /opt/environment
COPY --from=rest /opt/environment /opt/environment
ENV VIRTUAL_ENV=/opt/environment \
    PATH=/opt/environment/bin:${PATH}


# Nothing here knows where the workspace is, so that all clones share the image:
# docs/decisions/one-image-for-one-content.md.
FROM environment AS dev
ARG USERNAME=dev
ARG USER_UID=1000
ARG USER_GID=1000
# What /workspace is: a directory to mount at, or a `link` to where the workspace is mounted.
ARG WORKSPACE=directory
RUN <<'END'
# The user, with the host's uid and gid, so that files of the workspace belong to the same person on
# both sides. Whoever has the uid in the base image gives way; whichever group has the gid is used.
occupant=$(getent passwd "${USER_UID}" | cut -d: -f1 || true)
if [ "${USER_UID}" = 0 ]; then
    # Root outside (or a rootless engine, where root inside is the person outside) stays root.
    home=/root
    if [ "${USERNAME}" != root ]; then
        useradd --no-log-init --non-unique --uid 0 --gid 0 --no-create-home --home-dir /root \
            --shell /bin/bash "${USERNAME}"
    fi
    usermod --shell /bin/bash root
else
    if [ "${USERNAME}" = root ]; then
        echo "USERNAME is root, but USER_UID is ${USER_UID}: choose another USERNAME." >&2
        exit 1
    fi
    for name in ${occupant} ${USERNAME}; do
        if getent passwd "$name" >/dev/null; then userdel "$name"; fi
    done
    if ! getent group "${USER_GID}" >/dev/null; then
        if getent group "${USERNAME}" >/dev/null; then groupdel "${USERNAME}"; fi
        groupadd --gid "${USER_GID}" "${USERNAME}"
    fi
    home=/home/${USERNAME}
    # --no-log-init: for a huge uid, lastlog would grow to terabytes.
    useradd --no-log-init --uid "${USER_UID}" --gid "${USER_GID}" --create-home \
        --home-dir "$home" --shell /bin/bash "${USERNAME}"
    chown "${USER_UID}:${USER_GID}" "$home"
fi
# The way to a workspace may lead through a home directory of the base.
find /home -maxdepth 1 -type d -exec chmod a+x /root {} +
# Each container makes a link to its workspace before anything else, whoever is told to run in it.
mkdir -m a=rwx /var/lib/slipway
cat >/usr/local/bin/slipway-start <<'START'
#!/bin/sh
link=/var/lib/slipway/workspace
if [ -n "${SLIPWAY_WORKSPACE:-}" ] && [ ! -L "$link" ]; then ln -s "$SLIPWAY_WORKSPACE" "$link"; fi
exec "$@"
START
chmod +x /usr/local/bin/slipway-start
if [ "${WORKSPACE}" = link ]; then
    if [ -d /workspace ]; then rmdir /workspace; fi
    ln -s /var/lib/slipway/workspace /workspace
else
    install -d -o "${USER_UID}" -g "${USER_GID}" /workspace
fi
# What git and ssh know of the host stands in the workspace, where each `./inv up` writes it anew, and
# which is mounted here a second time: what is read there must not wait for the link.
# Files, as git before 2.31 and DVC's libgit2 read no variables; the second is for newer gits only.
state=/run/slipway/workspace/.slipway
git config --system --add include.path "$state/gitconfig"
version=$(git version | sed 's/[^0-9]*\([0-9.]*\).*/\1/')
if dpkg --compare-versions "$version" ge 2.35; then
    git config --system --add include.path "$state/gitconfig-2.35"
fi
mkdir -p /etc/ssh/ssh_config.d
cat >/etc/ssh/ssh_config.d/slipway.conf <<SSH
GlobalKnownHostsFile "$state/ssh/known_hosts" /etc/ssh/ssh_known_hosts
Include "$state/ssh/config"
SSH
# What git's gpg.program names: gpg with the public key and the agent that cross from the host.
cat >/usr/local/bin/slipway-gpg <<GPG
#!/bin/sh
exec gpg --homedir "$state/gpg" --no-autostart "\$@"
GPG
chmod +x /usr/local/bin/slipway-gpg
# What DVC's start imports, in bytecode: the proof of each new container waits for it. It only spares
# time, so that an environment without DVC is none the worse.
(umask 0; python -c 'import dvc.repo') 2>/dev/null || true
# Login shells set PATH anew.
cat >/etc/profile.d/slipway.sh <<'PROFILE'
case ":$PATH:" in
    *:/opt/environment/bin:*) ;;
    *) PATH=/opt/environment/bin:$PATH ;;
esac
case ":$PATH:" in
    *":$SLIPWAY_COMMANDS:"*) ;;
    *) PATH=$PATH:$SLIPWAY_COMMANDS ;;
esac
if [ -n "${SLIPWAY_UMASK:-}" ]; then umask "${SLIPWAY_UMASK}"; fi
PROFILE
# So do the terminals of editors, which are no login shells: files for a group that shares the cache.
echo 'if [ -n "${SLIPWAY_UMASK:-}" ]; then umask "${SLIPWAY_UMASK}"; fi' >>/etc/bash.bashrc
END
# The commands of the project in demo/ (train, evaluate, infer); last, so that they hide nothing.
ENV SLIPWAY_COMMANDS=/var/lib/slipway/workspace/demo/bin
ENV PATH=${PATH}:${SLIPWAY_COMMANDS} \
    SLIPWAY_CONTAINER=1 \
    LANG=C.UTF-8 \
    SHELL=/bin/bash
USER ${USERNAME}
ENTRYPOINT ["/usr/local/bin/slipway-start"]
CMD ["bash"]
