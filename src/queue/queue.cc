#include "queue/queue.h"

#include <utility>

#include "queue/core.h"

namespace postern::queue {

Queue::Queue(const io::World& world, Store& store, Log& log, QueueOptions options)
    : core_(std::make_shared<Core>(world, store, log, std::move(options))) {}

Queue::~Queue() = default;

void Queue::set_pause_max(Duration pause_max) {
  core_->pause_max = pause_max;
}

io::Task<Result<>> Queue::recover() {
  return core_->recover();
}
io::Task<> Queue::drain() {
  return core_->drain();
}

Result<std::unique_ptr<Intake>> Queue::begin(mail::Envelope envelope, Provenance provenance) {
  TRY_VOID(core_->ready_for_mail());
  if (envelope.recipients.empty() || envelope.recipients.size() > record_recipients_max)
    return fail(Persistence::permanent, Blame::us, Cause::limit,
                "a message needs at least one recipient, and at most 100000");
  StoredMessage stored;
  stored.message.id = core_->new_id();
  const WallTime now = core_->world.clock.wall_now();
  stored.message.recipients.reserve(envelope.recipients.size());
  for (mail::Recipient& recipient : envelope.recipients)
    stored.message.recipients.push_back(new_recipient(std::move(recipient), now));
  envelope.recipients.clear();
  stored.message.envelope = std::move(envelope);
  stored.message.provenance = std::move(provenance);
  stored.message.lifetime_from = stored.message.provenance.arrived;
  return make_intake(core_, std::move(stored));
}

void Queue::on_due(std::function<void(const std::string& destination)> listener) {
  core_->schedule.on_due(std::move(listener));
}

io::Task<std::optional<Lease>> Queue::lease(const std::string& destination) {
  return core_->lease(destination);
}

std::vector<std::string> Queue::due_destinations() const {
  return core_->schedule.due_destinations();
}

io::Task<Result<std::unique_ptr<Content>>> Queue::content(const Lease& lease) {
  return core_->content(lease.message().id);
}

io::Task<Result<>> Queue::complete(Lease lease, std::vector<RecipientOutcome> outcomes,
                                   std::optional<NewMessage> report) {
  return core_->complete(std::move(lease), std::move(outcomes), std::move(report));
}

void Queue::give_back(Lease lease, WallTime due) {
  core_->give_back(std::move(lease), due);
}

Queue::Postponed Queue::postpone(
    const std::string& destination,
    const std::function<std::optional<WallTime>(const ShareFacts&)>& decide,
    std::size_t count_max) {
  return core_->schedule.postpone(destination, decide, count_max);
}

io::Task<Result<std::shared_ptr<const QueuedMessage>>> Queue::show(MessageId id) {
  return core_->show(Box::queue, id);
}

Result<> Queue::retry(MessageId id) {
  return core_->retry(id);
}
std::size_t Queue::flush() {
  return core_->schedule.force_all();
}
io::Task<Result<>> Queue::remove(MessageId id) {
  return core_->remove(id);
}
Queue::Counts Queue::counts() const {
  return core_->counts();
}

}  // namespace postern::queue
