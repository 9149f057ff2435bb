cd /tmp/wt/demo/demo; rm -rf /tmp/h/bad; mkdir -p /tmp/h/bad
B="paths.runs_dir=/tmp/h/bad/runs data.dir=/tmp/h/bad/data data.draw=64 logger=none trainer.max_epochs=1"
t() { echo "--- $*"; "$@" 2>&1 | tail -${N:-5}; echo "exit ${PIPESTATUS[0]}"; }
t bin/train los=arcface
t bin/train loss=arcfac
t bin/train data.num_worker=3
t bin/train optimizr.lr=3
t bin/train optimizer.lr=abc
t bin/train optimizer.lr=50 $B
t bin/train data.batch_size=0 loss=arcface loss.margin=9 $B
t bin/train trainer.max_epoch=3
t bin/train +trainer.max_epoch=3 $B
t bin/train +trainer.max_steps=-9 $B
t bin/train trainer.max_epochs=abc $B
t bin/train +foo=1 $B
t bin/train data=folder $B
t bin/train +experiment.lr=5 '+trainer.fast_dev_run=True' data.num_workers=1 trainer.deterministic=True $B
t bin/train experiment=nope
t bin/train 'name=a b(c'
t bin/train ckpt_path=/nope.ckpt $B
t bin/train logger=wandb logger.wandb.offline=false paths.runs_dir=/tmp/h/bad/runs
t bin/train model.width='${nope}' $B
t bin/train optimizer=sgd optimizer.lr=10 model.width=4 $B +trainer.gradient_clip_val=-1
t bin/train resume=/nope
t bin/train data.batch_size= $B
t bin/infer
t bin/infer img_path=/nope.png
t bin/infer img_path=README text=b
t bin/infer img_pat=3
t bin/evaluate +data.batch_size=32 split=val
t bin/evaluate split=foo
t bin/evaluate ckpt_path=starter/train.py
t bin/train --nope
