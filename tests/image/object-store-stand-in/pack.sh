#!/bin/bash
# pack.sh OUT   Run in an image with ceph-mon ceph-osd radosgw ceph-common curl installed: makes the one file OUT. For tests only (README.md).
set -eu
here=$(dirname "$0"); S=/var/tmp/s; L=/usr/lib/x86_64-linux-gnu; mkdir -p $S/rt/bin $S/rt/lib $S/rt/classes $S/rt/plugins
for b in ceph-mon ceph-osd radosgw radosgw-admin; do cp /usr/bin/$b $S/rt/bin/; done
for c in cas cmpomap fifo lock log otp queue 2pc_queue refcount rgw rgw_gc timeindex user version numops; do cp -L $L/rados-classes/libcls_$c.so $S/rt/classes/; done
for p in crypto compressor extblkdev; do mkdir $S/rt/plugins/$p; cp -L $L/ceph/$p/*.so $S/rt/plugins/$p/; done
ldd $S/rt/bin/* $S/rt/classes/* $S/rt/plugins/*/* | awk '$2=="=>"{print $3} /^\t\/lib64/{print $1}' | sort -u | while read f; do cp -L $f $S/rt/lib/; done
timeout 120 "$here/server.sh" bake $S
cd $S; tar -cSf - rt mon osd | gzip -9 > /var/tmp/p.tgz
sum=$(sha256sum /var/tmp/p.tgz | cut -c1-16); sed "s/@SUM@/$sum/" "$here/server.sh" > /var/tmp/h
n=$(( $(wc -c < /var/tmp/h) - 8 + 10 + 1 )); sed -i "s/@OFFSET@/$(printf %010d $n)/" /var/tmp/h
cat /var/tmp/h /var/tmp/p.tgz > "$1"; chmod 755 "$1"; ls -la "$1"; du -sh --apparent-size $S/*; du -sh $S/*
rm -rf $S /var/tmp/p.tgz /var/tmp/h # a layer would hold the sparse files in full
