#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace postern::session {

/// Read buffers of one shard. A session takes one only when there are bytes to read, so that an
/// idle connection holds none; a few stay for the next.
class BufferPool {
 public:
  static constexpr std::size_t buffer_bytes = 32 * 1024;
  static constexpr std::size_t kept_max = 16;
  using Buffer = std::array<char, buffer_bytes>;

  /// A buffer on loan; goes back when it is destroyed. The pool outlives it.
  class Loan {
   public:
    explicit Loan(BufferPool& pool) : pool_(&pool), buffer_(pool.take()) {}
    ~Loan() {
      if (buffer_) pool_->give_back(std::move(buffer_));
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    Buffer& operator*() { return *buffer_; }

   private:
    BufferPool* pool_;
    std::unique_ptr<Buffer> buffer_;
  };

 private:
  std::unique_ptr<Buffer> take() {
    if (free_.empty()) return std::unique_ptr<Buffer>(new Buffer);
    auto buffer = std::move(free_.back());
    free_.pop_back();
    return buffer;
  }
  void give_back(std::unique_ptr<Buffer> buffer) {
    if (free_.size() < kept_max) free_.push_back(std::move(buffer));
  }

  std::vector<std::unique_ptr<Buffer>> free_;
};

}  // namespace postern::session
