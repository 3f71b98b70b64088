#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "io/real/shard.h"
#include "io/sim/sim_world.h"
#include "io/world.h"

namespace postern::io {

/// For tests that hold in both worlds: one World, and a way to run a task in it.
class Bed {
 public:
  virtual ~Bed() = default;
  virtual World world() = 0;
  /// False when the task has not ended in time.
  [[nodiscard]] virtual bool run(Task<> task) = 0;
  /// A path for a local socket.
  virtual std::string local_path() = 0;
};

class RealBed final : public Bed {
 public:
  RealBed();
  ~RealBed() override;
  World world() override { return shard_->world(); }
  bool run(Task<> task) override { return shard_->run_task(std::move(task), seconds(60)); }
  std::string local_path() override { return directory_ + "/socket"; }
  RealShard& shard() { return *shard_; }

 private:
  std::string directory_;
  std::unique_ptr<RealShard> shard_;
};

class SimBed final : public Bed {
 public:
  explicit SimBed(std::uint64_t seed = 1)
      : sim_(seed), host_(sim_.add_host("host", *IpAddress::parse("192.0.2.1"))) {}
  World world() override { return host_.world(); }
  bool run(Task<> task) override { return sim_.run_task(host_, std::move(task)); }
  std::string local_path() override { return "socket"; }

 private:
  SimWorld sim_;
  SimHost& host_;
};

}  // namespace postern::io
