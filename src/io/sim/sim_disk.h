#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/disk.h"
#include "io/sim/sim_core.h"

namespace postern::io {

/// What may go wrong with a disk. Change it at any time.
struct DiskFaults {
  Duration latency_min = std::chrono::microseconds(20);
  Duration latency_max = std::chrono::microseconds(500);
  Duration sync_latency_min = std::chrono::milliseconds(1);
  Duration sync_latency_max = std::chrono::milliseconds(10);
  bool fail_writes = false;
  bool fail_reads = false;
  bool fail_syncs = false;
};

/// A disk that outlives its host. It remembers, for every file and every name, what a crash may
/// take: bytes not synced may vanish, partly, from the end, or come back as zeros; names not synced
/// with their directory may be as before.
class SimDisk final : public Disk {
 public:
  SimDisk(SimCore& core, Clock& clock) : core_(core), clock_(clock) {}

  DiskFaults faults;
  /// What all files together may hold; appends beyond it fail with Cause::no_space.
  std::uint64_t capacity_bytes = std::uint64_t{1} << 40;

  /// Power loss: what was not synced survives or not, by the seed.
  void crash();
  /// From now on open files of the host that crashed fail.
  void end_host() { ++incarnation_; }

  Task<Result<std::unique_ptr<File>>> create(std::string name) override;
  Task<Result<std::unique_ptr<File>>> open(std::string name) override;
  Task<Result<>> rename(std::string from, std::string to) override;
  Task<Result<>> remove(std::string name) override;
  Task<Result<>> make_directory(std::string name) override;
  Task<Result<>> sync_directory(std::string name) override;
  Task<Result<std::vector<std::string>>> list(std::string name) override;
  Task<Result<std::uint64_t>> size_bytes(std::string name) override;
  Task<Result<std::uint64_t>> free_bytes() override;

  // For tests: past the seam, at once.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] std::string contents(const std::string& name) const;  ///< empty when missing
  /// Overwrites one byte, as a failing disk does. False when it is beyond the file.
  bool damage(const std::string& name, std::uint64_t offset, char byte);

 private:
  friend class SimFile;

  struct Inode {
    std::string bytes;
    std::size_t synced = 0;
    bool is_directory = false;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  Task<> pause() { return clock_.sleep_for(core_.between(faults.latency_min, faults.latency_max)); }
  Task<> sync_pause() {
    return clock_.sleep_for(core_.between(faults.sync_latency_min, faults.sync_latency_max));
  }
  [[nodiscard]] bool directory_exists(const std::string& name) const;
  [[nodiscard]] std::uint64_t used_bytes() const;
  Names surviving_names();
  void tear(Inode& inode);

  SimCore& core_;
  Clock& clock_;
  Names current_;
  Names durable_;
  std::uint32_t incarnation_ = 0;
};

}  // namespace postern::io
