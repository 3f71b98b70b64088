#include <fmt/format.h>
#include <utility>

#include "queue/core.h"

namespace postern::queue {
namespace {

constexpr std::size_t chunk_bytes_max = 64 * 1024;

class MemoryContent final : public Content {
 public:
  explicit MemoryContent(std::shared_ptr<const std::string> content)
      : content_(std::move(content)) {}
  [[nodiscard]] std::uint64_t size_bytes() const override { return content_->size(); }
  io::Task<Result<std::string_view>> next_chunk() override {
    if (std::exchange(given_, true)) co_return std::string_view();
    co_return std::string_view(*content_);
  }

 private:
  std::shared_ptr<const std::string> content_;
  bool given_ = false;
};

class FileContent final : public Content {
 public:
  FileContent(std::unique_ptr<io::File> file, const StoredMessage& stored)
      : file_(std::move(file)),
        size_(stored.message.content_bytes),
        crc_expected_(stored.content_crc) {}
  [[nodiscard]] std::uint64_t size_bytes() const override { return size_; }

  io::Task<Result<std::string_view>> next_chunk() override {
    if (failed_) co_return fail(*failed_);
    if (at_ == size_) co_return std::string_view();
    buffer_.resize(std::min<std::uint64_t>(chunk_bytes_max, size_ - at_));
    Result<std::size_t> got = co_await file_->read_at(at_, buffer_);
    if (!got) co_return fail(std::move(got.error()));
    if (*got == 0) co_return damaged(fmt::format("its file ends after {} of {} bytes", at_, size_));
    buffer_.resize(*got);
    at_ += *got;
    crc_ = crc32_of(buffer_, crc_);
    if (at_ == size_ && crc_ != crc_expected_)
      co_return damaged(fmt::format("checksum of its file differs (expected {:08x}, found {:08x})",
                                    crc_expected_, crc_));
    co_return std::string_view(buffer_);
  }

 private:
  std::unexpected<Error> damaged(const std::string& what) {
    failed_ = Error{Persistence::permanent, Blame::us, Cause::damaged,
                    "content of a queued message is damaged: " + what};
    return fail(*failed_);
  }
  std::unique_ptr<io::File> file_;
  std::uint64_t size_;
  std::uint32_t crc_expected_;
  std::uint64_t at_ = 0;
  std::uint32_t crc_ = 0;
  std::string buffer_;
  std::optional<Error> failed_;
};

}  // namespace

std::unique_ptr<Content> memory_content(std::shared_ptr<const std::string> content) {
  return std::make_unique<MemoryContent>(std::move(content));
}

std::unique_ptr<Content> file_content(std::unique_ptr<io::File> file, const StoredMessage& stored) {
  return std::make_unique<FileContent>(std::move(file), stored);
}

}  // namespace postern::queue
