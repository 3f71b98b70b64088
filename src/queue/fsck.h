#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "io/world.h"
#include "queue/store.h"

namespace postern::queue {

/// Something that is not as it must be. The texts may hold any bytes of a key or an address: escape
/// them before they are shown.
struct Finding {
  enum class State : std::uint8_t {
    found,    ///< nothing was changed; a repair would do what `repair` says
    mended,   ///< what `repair` says was done
    failed,   ///< it was tried, and `error` says why it did not work
    manual,   ///< only the administrator can do something: what `repair` says
    settled,  ///< nothing is to be done: the server deals with it
  };
  std::string_view kind;   ///< a word for programs: "content-missing"; README.md lists them
  std::string id = {};     ///< of the message, where there is one
  std::string where = {};  ///< the key or the file, below the spool
  std::string what = {};
  std::string consequence = {};
  std::string repair = {};
  State state = State::found;
  std::string error = {};
};

/// "found", "mended", ...: for people and programs.
std::string_view name_of(Finding::State state);

enum class FsckMode : std::uint8_t { look, repair };

struct FsckReport {
  std::uint64_t messages = 0;  ///< that read
  std::uint64_t dead_letters = 0;
  std::uint64_t set_aside = 0;  ///< under damaged/ when the check began
  std::uint64_t content_bytes = 0;
  std::uint64_t findings = 0;
  std::uint64_t mended = 0;
  std::uint64_t left = 0;  ///< found, failed or manual

  void count(const Finding& finding);
};

/// What could not be saved to the queue again is kept here, below the spool, as files: <id>.eml
/// (content), <id>.record (the record's bytes), <id>.txt (what of them reads). Not "lost+found",
/// which is the file system's own where the spool is one.
constexpr std::string_view salvage_directory = "salvaged";

/// Looks through the queue of a server that does not run: every key, record and content. Memory is
/// bounded but for the names of the content files; contents are streamed. `world.disk` is the
/// spool; whoever opened `store` holds its lock. Each finding is told when it is dealt with, in
/// FsckMode::repair after the repair. Nothing is deleted that was not written to salvage_directory
/// and synced before. An error: the store as a whole does not read.
io::Task<Result<FsckReport>> fsck(const io::World& world, Store& store, FsckMode mode,
                                  std::function<void(const Finding&)> tell);

}  // namespace postern::queue
