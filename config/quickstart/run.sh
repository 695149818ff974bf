#!/usr/bin/env bash
# All of DeepCASE on invented alerts: run.sh BINARY FOLDER.
set -euo pipefail
binary=$(realpath "$1") folder=$2
examples=$(realpath "$(dirname "$0")/../examples") here=$(realpath "$(dirname "$0")")
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder"
step() { printf '\n\033[1m%s\033[0m\n' "$1"; }
# The log of a pipeline goes to a file, and is shown if the pipeline fails.
pipeline() { "$binary" run "$1" >"$2.log" 2>&1 || { cat "$2.log"; exit 1; }; }

step "1. Invent the alerts of a security operations centre: six days to learn from, and the two days after them"
"$binary" deepcase demo --split --out alerts.ndjson

step "2. Learn: deepcase_train reads the alerts (not their labels), publishes a model, and writes its clusters for the analyst"
MODEL=model INPUT=alerts-train.ndjson ID_FIELD=id LABEL_FIELD=none CLUSTERS=clusters pipeline "$examples/train_from_files.yaml" train
grep -q '"status":"published"' trainings.ndjson || { cat train.log; exit 1; }
"$binary" deepcase versions --model model

step "3. Score: an analyst looks at examples of four clusters in five (here replaced by the invented labels of up to 8 alerts), and deepcase_label publishes the scores"
CLUSTERS=$(echo clusters-*.ndjson) SCORES=scores.csv pipeline "$here/analyst.yaml" analyst
MODEL=model INPUT=scores.csv OUTPUT=applied.ndjson DEAD_LETTERS=label-dead-letters.ndjson pipeline "$examples/label_from_csv.yaml" label
"$binary" deepcase versions --model model

step "4. Live: deepcase_sequence and deepcase_predict annotate the new alerts, and deepcase_case puts what a person should see into cases"
MODEL=model INPUT=alerts-new.ndjson ID_FIELD=id OUTPUT=annotated.ndjson DEAD_LETTERS=dead-letters.ndjson pipeline "$examples/score_ndjson.yaml" score

step "5. Summary"
"$binary" deepcase summary --ndjson annotated.ndjson --time timestamp --label label --attack attack
cat <<END

annotated documents: $PWD/annotated.ndjson
clusters to look at: $(echo "$PWD"/clusters-*.csv)
model directory:     $PWD/model

Now decide yourself. This opens the review page, with the clusters that have no score and the alerts that no cluster explains:

    $1 deepcase review --model $2/model --annotated $2/annotated.ndjson
END
