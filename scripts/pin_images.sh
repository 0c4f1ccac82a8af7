#!/usr/bin/env bash
# Pin the images that others make by their digests, as the registry has them now: the Dockerfile's bases, and compose's.
# Run it before a release, where there is Docker and a network; run again it renews them. Its diff belongs in the review.
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
