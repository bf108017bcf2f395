#!/bin/sh
# Train the adapters of the zoo on the bundled foundation: recipes/zoo.sh PHOTOS RUNS [MINUTES_EACH]
set -eu
photos=$1 runs=$2 minutes=${3:-30}
adair=${ADAIR:-adair}
held_out="--exclude budgie-kitten-on-lawn --exclude budgie-lake-sherburne --exclude budgie-roman-colosseum"

go_on() { # the word that resumes a run, if there is a checkpoint
    if [ -e "$1" ]; then echo --resume; fi
}

mkdir -p "$runs"
# Side of the patches and how many. Scratches are counted by the patch, and a photo has more of them.
for entry in "motion-deblur 128 4" "defocus-deblur 128 4" "dehaze 128 4" "brighten 128 4" "camera-denoise 128 4" \
    "impulse-denoise 128 4" "descratch 64 16" "deband 128 4"; do
    # shellcheck disable=SC2086
    set -- $entry
    if [ ! -e "$runs/done-$1" ]; then
        code=0
        # shellcheck disable=SC2046,SC2086
        $adair adapt "$1" --photos "$photos" --cache "${CACHE:-$runs/cache}" $held_out -o "$runs/$1.safetensors" \
            --minutes "$minutes" --patch "$2" --batch "$3" $(go_on "$runs/$1.checkpoint.safetensors") >"$runs/last.txt" ||
            code=$?
        cat "$runs/last.txt"
        [ "$code" -eq 0 ] || exit "$code"
        if grep -q "stopped early" "$runs/last.txt"; then exit 130; fi
        touch "$runs/done-$1"
    fi
done
