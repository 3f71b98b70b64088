#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/world.h"
#include "queue/queue.h"

namespace postern::queue {

/// Writes to salvage_directory (fsck.h). A name that is taken gets a number: nothing is ever
/// overwritten. After a success the file is on disk, its name too.
class Salvage {
 public:
  explicit Salvage(const io::World& world) : world_(world) {}

  /// Gives the new file's name.
  io::Task<Result<std::string>> write(MessageId id, std::string_view ending,
                                      std::string_view bytes);
  /// As much of a file as reads.
  io::Task<Result<std::string>> copy(MessageId id, std::string_view ending, std::string from);
  io::Task<Result<std::string>> move(MessageId id, std::string_view ending, std::string from);

 private:
  io::Task<Result<std::string>> free_name(MessageId id, std::string_view ending);
  /// From the name under which it was written to its own.
  io::Task<Result<>> give_name(std::string temporary, const std::string& name);

  io::World world_;
};

/// While it is written a file ends so: what a crash leaves.
constexpr std::string_view unfinished_ending = ".unfinished";

}  // namespace postern::queue
