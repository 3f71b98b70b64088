#include "queue/salvage.h"

#include <fmt/format.h>
#include <memory>
#include <utility>

#include "queue/fsck.h"

namespace postern::queue {
namespace {

constexpr std::size_t chunk_bytes = 64 * 1024;

}  // namespace

io::Task<Result<std::string>> Salvage::free_name(MessageId id, std::string_view ending) {
  CO_TRY_VOID(co_await world_.disk.make_directory(std::string(salvage_directory)));
  CO_TRY_VOID(co_await world_.disk.sync_directory("."));
  for (int number = 1;; ++number) {
    std::string name =
        number == 1 ? fmt::format("{}/{}.{}", salvage_directory, id.text(), ending)
                    : fmt::format("{}/{}-{}.{}", salvage_directory, id.text(), number, ending);
    const Result<std::uint64_t> there = co_await world_.disk.size_bytes(name);
    if (there) continue;
    if (there.error().cause == Cause::not_found) co_return name;
    co_return fail(there.error());
  }
}

io::Task<Result<>> Salvage::give_name(std::string temporary, const std::string& name) {
  CO_TRY_VOID(co_await world_.disk.rename(std::move(temporary), name));
  co_return co_await world_.disk.sync_directory(std::string(salvage_directory));
}

io::Task<Result<std::string>> Salvage::write(MessageId id, std::string_view ending,
                                             std::string_view bytes) {
  CO_TRY(std::string name, co_await free_name(id, ending));
  const std::string temporary = name + std::string(unfinished_ending);
  {
    CO_TRY(const std::unique_ptr<io::File> file, co_await world_.disk.create(temporary));
    CO_TRY_VOID(co_await file->append(bytes));
    CO_TRY_VOID(co_await file->sync());
  }
  CO_TRY_VOID(co_await give_name(temporary, name));
  co_return name;
}

io::Task<Result<std::string>> Salvage::copy(MessageId id, std::string_view ending,
                                            std::string from) {
  CO_TRY(const std::unique_ptr<io::File> source, co_await world_.disk.open(std::move(from)));
  CO_TRY(std::string name, co_await free_name(id, ending));
  const std::string temporary = name + std::string(unfinished_ending);
  {
    CO_TRY(const std::unique_ptr<io::File> file, co_await world_.disk.create(temporary));
    std::string buffer(chunk_bytes, '\0');
    for (std::uint64_t at = 0;;) {
      const Result<std::size_t> got = co_await source->read_at(at, buffer);
      if (!got || *got == 0) break;
      CO_TRY_VOID(co_await file->append(std::string_view(buffer).substr(0, *got)));
      at += *got;
    }
    CO_TRY_VOID(co_await file->sync());
  }
  CO_TRY_VOID(co_await give_name(temporary, name));
  co_return name;
}

io::Task<Result<std::string>> Salvage::move(MessageId id, std::string_view ending,
                                            std::string from) {
  const std::string folder = from.substr(0, from.find('/'));
  CO_TRY(std::string name, co_await free_name(id, ending));
  CO_TRY_VOID(co_await give_name(std::move(from), name));
  CO_TRY_VOID(co_await world_.disk.sync_directory(folder));
  co_return name;
}

}  // namespace postern::queue
