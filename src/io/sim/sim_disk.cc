#include "io/sim/sim_disk.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace postern::io {
namespace {

std::string parent_of(const std::string& name) {
  const auto slash = name.rfind('/');
  return slash == std::string::npos ? std::string() : name.substr(0, slash);
}

std::string normal(std::string name) {
  while (name.ends_with('/')) name.pop_back();
  return name == "." ? std::string() : name;
}

std::unexpected<Error> missing(const std::string& name) {
  return our_failure(Cause::not_found, name + ": no such file or directory");
}

}  // namespace

/// An open file of one incarnation of the host.
class SimFile final : public File {
 public:
  SimFile(SimDisk& disk, std::string name, std::shared_ptr<SimDisk::Inode> inode)
      : disk_(disk),
        name_(std::move(name)),
        inode_(std::move(inode)),
        incarnation_(disk.incarnation_) {}

  Task<Result<>> append(std::string_view bytes) override {
    co_await disk_.pause();
    CHECK(incarnation_ == disk_.incarnation_);
    if (disk_.faults.fail_writes) co_return our_failure(Cause::other, "write " + name_ + ": EIO");
    const std::uint64_t used = disk_.used_bytes();
    const std::uint64_t space = disk_.capacity_bytes - std::min(disk_.capacity_bytes, used);
    const std::string_view part = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), space));
    disk_.core_.record("append " + name_, part);
    inode_->bytes += part;
    if (part.size() < bytes.size()) {
      co_return our_failure(Cause::no_space, "write " + name_ + ": no space left on device");
    }
    co_return Result<>{};
  }
  Task<Result<std::size_t>> read_at(std::uint64_t offset, std::span<char> into) override {
    co_await disk_.pause();
    CHECK(incarnation_ == disk_.incarnation_);
    if (disk_.faults.fail_reads) co_return our_failure(Cause::other, "read " + name_ + ": EIO");
    const std::string& bytes = inode_->bytes;
    if (offset >= bytes.size()) co_return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(into.size(), bytes.size() - offset);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
    co_return count;
  }
  Task<Result<>> sync() override {
    co_await disk_.sync_pause();
    CHECK(incarnation_ == disk_.incarnation_);
    if (disk_.faults.fail_syncs) co_return our_failure(Cause::other, "sync " + name_ + ": EIO");
    disk_.core_.record("sync", name_);
    inode_->synced = inode_->bytes.size();
    co_return Result<>{};
  }

 private:
  SimDisk& disk_;
  std::string name_;
  std::shared_ptr<SimDisk::Inode> inode_;
  std::uint32_t incarnation_;
};

Task<Result<std::unique_ptr<File>>> SimDisk::create(std::string name) {
  co_await pause();
  if (faults.fail_writes) co_return our_failure(Cause::other, "create " + name + ": EIO");
  if (!directory_exists(parent_of(name))) co_return missing(parent_of(name));
  if (current_.contains(name)) co_return our_failure(Cause::in_use, name + ": file exists");
  if (used_bytes() >= capacity_bytes) {
    co_return our_failure(Cause::no_space, "create " + name + ": no space left on device");
  }
  core_.record("create", name);
  auto inode = std::make_shared<Inode>();
  current_[name] = inode;
  co_return std::make_unique<SimFile>(*this, std::move(name), std::move(inode));
}

Task<Result<std::unique_ptr<File>>> SimDisk::open(std::string name) {
  co_await pause();
  const auto found = current_.find(name);
  if (found == current_.end() || found->second->is_directory) co_return missing(name);
  co_return std::make_unique<SimFile>(*this, std::move(name), found->second);
}

Task<Result<>> SimDisk::rename(std::string from, std::string to) {
  co_await pause();
  if (faults.fail_writes) co_return our_failure(Cause::other, "rename " + from + ": EIO");
  const auto found = current_.find(from);
  if (found == current_.end()) co_return missing(from);
  if (!directory_exists(parent_of(to))) co_return missing(parent_of(to));
  CHECK(!found->second->is_directory);
  core_.record("rename", from + " " + to);
  auto inode = found->second;
  current_.erase(found);
  current_[to] = std::move(inode);
  co_return Result<>{};
}

Task<Result<>> SimDisk::remove(std::string name) {
  co_await pause();
  if (faults.fail_writes) co_return our_failure(Cause::other, "remove " + name + ": EIO");
  core_.record("remove", name);
  if (current_.erase(name) == 0) co_return missing(name);
  co_return Result<>{};
}

Task<Result<>> SimDisk::make_directory(std::string name) {
  co_await pause();
  name = normal(std::move(name));
  if (directory_exists(name)) co_return Result<>{};
  if (!directory_exists(parent_of(name))) co_return missing(parent_of(name));
  core_.record("make directory", name);
  auto inode = std::make_shared<Inode>();
  inode->is_directory = true;
  current_[name] = std::move(inode);
  co_return Result<>{};
}

Task<Result<>> SimDisk::sync_directory(std::string name) {
  co_await sync_pause();
  name = normal(std::move(name));
  if (!directory_exists(name)) co_return missing(name);
  if (faults.fail_syncs) co_return our_failure(Cause::other, "sync " + name + ": EIO");
  core_.record("sync directory", name);
  std::erase_if(durable_, [&](const auto& entry) {
    return parent_of(entry.first) == name && !current_.contains(entry.first);
  });
  for (const auto& [path, inode] : current_) {
    if (parent_of(path) == name) durable_[path] = inode;
  }
  co_return Result<>{};
}

Task<Result<std::vector<std::string>>> SimDisk::list(std::string name) {
  co_await pause();
  name = normal(std::move(name));
  if (!directory_exists(name)) co_return missing(name);
  if (faults.fail_reads) co_return our_failure(Cause::other, "list " + name + ": EIO");
  std::vector<std::string> names;
  for (const auto& [path, inode] : current_) {
    if (parent_of(path) == name) names.push_back(path.substr(name.empty() ? 0 : name.size() + 1));
  }
  std::sort(names.begin(), names.end());
  co_return names;
}

Task<Result<std::uint64_t>> SimDisk::size_bytes(std::string name) {
  co_await pause();
  const auto found = current_.find(name);
  if (found == current_.end()) co_return missing(name);
  co_return found->second->bytes.size();
}

Task<Result<std::uint64_t>> SimDisk::free_bytes() {
  co_await pause();
  co_return capacity_bytes - std::min(capacity_bytes, used_bytes());
}

void SimDisk::crash() {
  core_.record("power loss", {});
  ++incarnation_;
  current_ = surviving_names();
  std::set<Inode*> torn;
  for (const auto& [path, inode] : current_) {
    if (torn.insert(inode.get()).second) tear(*inode);
  }
  durable_ = current_;
}

SimDisk::Names SimDisk::surviving_names() {
  std::set<std::string> all;
  for (const auto& [path, inode] : current_) all.insert(path);
  for (const auto& [path, inode] : durable_) all.insert(path);
  Names survivors;
  std::set<const Inode*> reached;
  for (const std::string& path : all) {
    const auto now = current_.find(path);
    const auto before = durable_.find(path);
    const auto now_inode = now == current_.end() ? nullptr : now->second;
    const auto before_inode = before == durable_.end() ? nullptr : before->second;
    const bool newer = now_inode == before_inode || core_.random().below(2) == 0;
    const auto& chosen = newer ? now_inode : before_inode;
    if (!chosen) continue;
    survivors[path] = chosen;
    reached.insert(chosen.get());
  }
  // A rename never loses a file whose old name was on disk: if neither name came out, the new one
  // holds.
  for (const auto& [path, inode] : current_) {
    const bool was_durable = std::any_of(durable_.begin(), durable_.end(),
                                         [&](const auto& entry) { return entry.second == inode; });
    if (was_durable && reached.insert(inode.get()).second) survivors[path] = inode;
  }
  // What is in a directory that did not survive is gone with it; parents sort before children.
  std::erase_if(survivors, [&](const auto& entry) {
    const std::string parent = parent_of(entry.first);
    return !parent.empty() && !survivors.contains(parent);
  });
  return survivors;
}

void SimDisk::tear(Inode& inode) {
  SplitMix64& random = core_.random();
  const std::size_t unsynced = inode.bytes.size() - inode.synced;
  if (unsynced != 0) {
    const std::size_t kept = random.below(unsynced + 1);
    inode.bytes.resize(inode.synced + kept);
    // The length reached the disk before the bytes did.
    if (kept != 0 && random.below(3) == 0) {
      const std::size_t zeros = 1 + random.below(kept);
      std::fill(inode.bytes.end() - static_cast<std::ptrdiff_t>(zeros), inode.bytes.end(), '\0');
    }
  }
  inode.synced = inode.bytes.size();
}

bool SimDisk::directory_exists(const std::string& name) const {
  if (name.empty()) return true;
  const auto found = current_.find(name);
  return found != current_.end() && found->second->is_directory;
}

std::uint64_t SimDisk::used_bytes() const {
  std::uint64_t used = 0;
  for (const auto& [path, inode] : current_) used += inode->bytes.size();
  return used;
}

std::vector<std::string> SimDisk::names() const {
  std::vector<std::string> names;
  for (const auto& [path, inode] : current_) names.push_back(path);
  return names;
}

std::string SimDisk::contents(const std::string& name) const {
  const auto found = current_.find(name);
  return found == current_.end() ? std::string() : found->second->bytes;
}

bool SimDisk::damage(const std::string& name, std::uint64_t offset, char byte) {
  const auto found = current_.find(name);
  if (found == current_.end() || offset >= found->second->bytes.size()) return false;
  found->second->bytes[offset] = byte;
  return true;
}

}  // namespace postern::io
