#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "faulty_file_system.h"
#include "io/sim/sim_world.h"
#include "queue/queue.h"
#include "queue/rocksdb_store.h"

namespace postern::store_test {

/// What the queue promised about one message.
struct Promise {
  bool fails = false;         ///< the next hop refuses it: a report is due
  bool acknowledged = false;  ///< commit() said so
  bool completed = false;     ///< complete() said so
  bool unclear = false;       ///< complete() failed: it may have been written or not
};

/// Counts what is logged as trouble.
class TroubleLog final : public Log {
 public:
  void line(Severity severity, std::string_view event, std::initializer_list<LogField>) override {
    if (severity >= Severity::error) ++troubles[std::string(event)];
  }
  void raw(Severity, std::string_view) override {}
  std::map<std::string, int> troubles;
};

/// A gateway's queue on the real store, over several lives: it works, loses power, and is looked
/// through by the next life. Contents beyond inline_bytes_max lie on a simulated disk that loses
/// power with it.
class Lives {
 public:
  explicit Lives(std::uint64_t seed);
  ~Lives();
  Lives(const Lives&) = delete;
  Lives& operator=(const Lives&) = delete;

  /// Opens the store and reads the queue. An error: what the store or the queue said.
  Result<> begin();
  /// Sends and delivers for this long, virtually.
  void work(Duration how_long);
  /// Ends without a farewell. Power: what was not synced is lost.
  void end(io::CrashKind kind, FaultyFileSystem::Tail tail = FaultyFileSystem::Tail::cut);
  /// Writes the memory table out, so that records lie in tables. Between begin() and end().
  Result<> flush() { return store_->flush(); }

  /// In a life without faults: takes everything out of the queue and says what is wrong with it, a
  /// line each. `damage_was_made`: what is missing must have been told of.
  enum class Damage : std::uint8_t { none, made };
  std::vector<std::string> settle(Damage damage = Damage::none);

  FaultyFileSystem files;
  SplitMix64 dice;
  TroubleLog log;
  std::map<int, Promise> promises;  ///< by number, of what is not settled
  std::uint64_t repeated = 0;       ///< delivered, and there again after a power failure
  [[nodiscard]] std::string database() const { return directory_ + "/store"; }

 private:
  io::Task<> send(int number);
  io::Task<> deliver();
  io::Task<> recover(Result<>* result);
  io::Task<> take_all(std::map<std::string, int>* found);
  io::Task<> take_from(std::string destination, std::map<std::string, int>* found);
  io::Task<Result<std::string>> read(const queue::Lease& lease);
  queue::NewMessage report_on(int number) const;

  std::string directory_;
  std::unique_ptr<rocksdb::Env> environment_;
  io::SimWorld sim_;
  io::SimHost& host_;
  std::unique_ptr<queue::RocksdbStore> store_;
  std::unique_ptr<queue::Queue> queue_;
  int next_number_ = 0;
};

}  // namespace postern::store_test
