#!/usr/bin/env bash
# Pin third-party images to their current digests in the registry: the Dockerfile's base images, and those of compose.
# Run it before a release, with Docker and a network. Running it again updates the digests. Review its diff.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

pin() {  # FILE, the words before an image's name
    local file=$1 before=$2 image digest
    for image in $(sed -n -E "s/^$before([a-z0-9./_-]+:[A-Za-z0-9._-]+).*/\1/p" "$file" | grep -v mistral-mcp | sort -u); do
        digest=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')
        [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "No digest of $image: $digest" >&2; exit 1; }
        sed -i -E "s|^($before$image)(@sha256:[0-9a-f]+)?|\1@$digest|" "$file"
        echo "$file: $image@$digest"
    done
}

pin Dockerfile 'FROM '
pin manifests/compose.yaml ' +image: '
