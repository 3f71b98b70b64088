#pragma once

#include "io/clock.h"
#include "io/disk.h"
#include "io/entropy.h"
#include "io/network.h"
#include "io/task.h"
#include "io/worker.h"

namespace postern::io {

/// What one shard may know of the world outside; given by constructor to the objects that need a
/// part of it. References only: the real or simulated world that lent them outlives every user.
struct World {
  Executor executor;
  Clock& clock;
  Network& network;
  Disk& disk;            ///< the spool directory
  Worker& store_worker;  ///< for the store's commits
  Entropy& entropy;
  Worker& ledger_worker;  ///< for the ledger's database, which must not hold up the store's
};

}  // namespace postern::io
