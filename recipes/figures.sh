#!/bin/sh
# Measure what new weights do, for every page that prints it: recipes/figures.sh SETS PHOTOS RUN
#
# SETS is the folder of test sets (see `adair bench`), PHOTOS the training photos, RUN a folder for what is printed. Run it
# alone on the machine, from a checkout that has the new weights. What is in RUN is not measured again, so an
# interrupted run goes on where it stopped. docs/benchmarks.md and its plots, docs/pictures.md and the cards of the weights are
# written; the tables of the other pages are in RUN, named after them.
set -eu
sets=$1 photos=$2 run=$3
here=$(cd "$(dirname "$0")/.." && pwd)
held_out="--exclude budgie-kitten-on-lawn --exclude budgie-lake-sherburne --exclude budgie-roman-colosseum"

once() { # NAME COMMAND...: keep what a command prints as RUN/NAME.md, unless that is there
    name=$1
    shift
    if [ ! -e "$run/$name.md" ]; then
        echo "$name"
        "$@" >"$run/$name.part"
        mv "$run/$name.part" "$run/$name.md"
    fi
}

mkdir -p "$run"
cd "$here"
# Its status is 1 if a test set or another tool is missing, which the page says, too.
python -m adair bench --data "$sets" --json docs/benchmarks.json --markdown docs/benchmarks.md --plots docs/images/benchmarks \
    --overwrite || [ $? = 1 ]
once readme python tools/record_figures.py docs/benchmarks.json
once zoo python benchmarks/zoo.py --data "$sets" --limit 12 --json "$run/zoo.json" --sheet zoo/examples.webp --record
once pictures python tools/pictures.py "$sets/Kodak24" docs
once blending python benchmarks/blending.py
once advise python benchmarks/advise.py
once inspect python benchmarks/auto.py --data "$sets"
once inspect-harm python benchmarks/auto.py --harm "$sets" --limit 12
# shellcheck disable=SC2086
once inspect-mixtures python benchmarks/auto.py --mixtures "$photos" $held_out
once adapt python benchmarks/few_shot.py --photos "$photos" --data "$sets" --runs "$run/few-shot" --photo-minutes 1
