#include <utility>

#include "base/check.h"
#include "queue/core.h"

namespace postern::queue {
namespace {

// How much of a streamed content is gathered before it is written.
constexpr std::size_t write_bytes_min = 64 * 1024;

class StreamingIntake final : public Intake {
 public:
  StreamingIntake(const std::shared_ptr<Core>& core, StoredMessage stored)
      : core_(core), stored_(std::move(stored)) {}
  StreamingIntake(const StreamingIntake&) = delete;
  StreamingIntake& operator=(const StreamingIntake&) = delete;
  ~StreamingIntake() override;

  [[nodiscard]] MessageId id() const override { return stored_.message.id; }
  io::Task<Result<>> append(std::string_view bytes) override;
  io::Task<Result<MessageId>> commit() override;

 private:
  // Not shared while we wait: the queue's end must not wait for a task that waits for the queue.
  [[nodiscard]] Core* owner() const { return core_.lock().get(); }
  io::Task<Result<>> spill(Core& core);
  io::Task<Result<>> finish_file(Core& core);
  io::Task<Result<>> commit_record(Core& core);
  void hold(Core& core, std::uint64_t bytes);
  std::unexpected<Error> failed(Core& core, Error error);

  std::weak_ptr<Core> core_;
  StoredMessage stored_;
  std::string buffer_;      ///< all of the content, or what is not in the file yet
  std::uint64_t held_ = 0;  ///< our part of Core::intake_bytes
  std::unique_ptr<io::File> file_;
  bool file_named_ = false;  ///< a file of our name may exist
  bool ended_ = false;       ///< commit was called, or something failed
};

StreamingIntake::~StreamingIntake() {
  Core* const core = owner();
  if (core == nullptr) return;
  hold(*core, 0);
  if (file_named_) core->remove_file(content_file(id()), Core::When::now);
}

void StreamingIntake::hold(Core& core, std::uint64_t bytes) {
  core.intake_bytes += bytes - held_;  // unsigned: right also when it shrinks
  held_ = bytes;
}

std::unexpected<Error> StreamingIntake::failed(Core& core, Error error) {
  ended_ = true;
  core.note_failure(error);
  return fail(std::move(error));
}

io::Task<Result<>> StreamingIntake::append(std::string_view bytes) {
  Core* const alive = owner();
  if (alive == nullptr || ended_)
    co_return our_failure(Cause::cancelled, "this message cannot be taken any more");
  Core& core = *alive;
  stored_.message.content_bytes += bytes.size();
  stored_.content_crc = crc32_of(bytes, stored_.content_crc);
  buffer_.append(bytes);
  hold(core, buffer_.size());
  const bool too_large = buffer_.size() > core.options.inline_bytes_max ||
                         core.intake_bytes > core.options.intake_bytes_max;
  if (file_ != nullptr ? buffer_.size() < write_bytes_min : !too_large) co_return Result<>();
  co_return co_await spill(core);
}

io::Task<Result<>> StreamingIntake::spill(Core& core) {
  if (file_ == nullptr) {
    file_named_ = true;
    stored_.place = ContentPlace::file;
    auto created = co_await core.world.disk.create(content_file(id()));
    if (!created) co_return failed(core, std::move(created.error()));
    file_ = *std::move(created);
  }
  const Result<> written = co_await file_->append(buffer_);
  buffer_.clear();
  hold(core, 0);
  if (!written) co_return failed(core, written.error());
  co_return Result<>();
}

io::Task<Result<>> StreamingIntake::finish_file(Core& core) {
  // The record must never be on disk without its content: content first, then its name.
  CO_TRY_VOID(co_await spill(core));
  if (Result<> synced = co_await file_->sync(); !synced)
    co_return failed(core, std::move(synced.error()));
  file_.reset();
  if (Result<> synced = co_await core.world.disk.sync_directory("content"); !synced)
    co_return failed(core, std::move(synced.error()));
  co_return Result<>();
}

io::Task<Result<>> StreamingIntake::commit_record(Core& core) {
  Batch batch;
  CO_TRY(std::string record, encode_record(stored_));
  batch.puts.push_back({.key = message_key(id()), .value = std::move(record)});
  if (stored_.place == ContentPlace::store)
    batch.puts.push_back({.key = content_key(id()), .value = buffer_});
  core.add_last_id(batch);
  std::vector<std::string> undo = {message_key(id()), content_key(id())};
  const Result<> committed =
      co_await core.committer.commit(std::move(batch), Store::Sync::now, std::move(undo));
  if (committed) co_return Result<>();
  // The record may be on disk after all: its file must stay until the record is surely gone.
  if (std::exchange(file_named_, false))
    core.remove_file(content_file(id()), Core::When::after_sync);
  co_return failed(core, committed.error());
}

io::Task<Result<MessageId>> StreamingIntake::commit() {
  Core* const alive = owner();
  if (alive == nullptr || ended_)
    co_return our_failure(Cause::cancelled, "this message cannot be taken any more");
  Core& core = *alive;
  if (stored_.place == ContentPlace::file) CO_TRY_VOID(co_await finish_file(core));
  CO_TRY_VOID(co_await commit_record(core));
  ended_ = true;
  file_named_ = false;
  hold(core, 0);
  const MessageId committed = id();
  std::shared_ptr<const std::string> content;
  if (stored_.place == ContentPlace::store)
    content = std::make_shared<const std::string>(std::move(buffer_));
  core.accept(std::make_shared<const StoredMessage>(std::move(stored_)), std::move(content));
  co_return committed;
}

}  // namespace

std::unique_ptr<Intake> make_intake(const std::shared_ptr<Core>& core, StoredMessage stored) {
  return std::make_unique<StreamingIntake>(core, std::move(stored));
}

}  // namespace postern::queue
