#include "lab/wire_tap.h"

#include <fmt/format.h>
#include <utility>

#include "base/text.h"

namespace postern::lab {
namespace {

constexpr std::size_t line_bytes_max = 4096;
constexpr std::size_t dialogue_lines_max = 500;
constexpr std::size_t content_bytes_max = 256 * 1024;

/// "MAIL FROM:<ann@partner.example> SIZE=300" -> "ann@partner.example".
std::string path_in(const std::string& line) {
  const auto begin = line.find('<');
  const auto end = line.find('>', begin == std::string::npos ? 0 : begin);
  if (begin == std::string::npos || end == std::string::npos) return {};
  return line.substr(begin + 1, end - begin - 1);
}

std::string failure_text(const Error& error) {
  switch (error.cause) {
    case Cause::refused:
      return "connection refused";
    case Cause::timed_out:
      return "connection timed out";
    default:
      return error.what;
  }
}

class TappedStream final : public io::Stream {
 public:
  TappedStream(std::unique_ptr<io::Stream> stream, std::unique_ptr<Overheard> overheard)
      : stream_(std::move(stream)), overheard_(std::move(overheard)) {}
  ~TappedStream() override { overheard_->over(""); }
  TappedStream(const TappedStream&) = delete;
  TappedStream& operator=(const TappedStream&) = delete;

  io::Task<Result<>> readable(io::Deadline deadline) override {
    return stream_->readable(deadline);
  }
  io::Task<Result<std::size_t>> read_some(std::span<char> into, io::Deadline deadline) override {
    const auto got = co_await stream_->read_some(into, deadline);
    if (!got)
      overheard_->over(failure_text(got.error()));
    else if (*got == 0)
      overheard_->over("");
    else
      overheard_->server_said({into.data(), *got});
    co_return got;
  }
  io::Task<Result<>> write_all(std::string_view bytes, io::Deadline deadline) override {
    overheard_->client_said(bytes);
    co_return co_await stream_->write_all(bytes, deadline);
  }
  std::size_t write_now(std::string_view bytes) override { return stream_->write_now(bytes); }
  void close() override {
    stream_->close();
    overheard_->over("");
  }
  void shutdown_write() override { stream_->shutdown_write(); }
  [[nodiscard]] Endpoint local() const override { return stream_->local(); }
  [[nodiscard]] Endpoint remote() const override { return stream_->remote(); }

 private:
  std::unique_ptr<io::Stream> stream_;
  std::unique_ptr<Overheard> overheard_;
};

}  // namespace

Overheard::Overheard(const io::Clock& clock, SteadyTime beginning, Attempt base,
                     const Listener& listener)
    : clock_(clock), beginning_(beginning), base_(std::move(base)), listener_(listener) {
  base_.at = clock_.now() - beginning_;
  current_ = base_;
  questions_.push_back({Asked::greeting, 0});
}

void Overheard::show(std::string line) {
  if (current_.dialogue.size() < dialogue_lines_max) current_.dialogue.push_back(std::move(line));
}

void Overheard::client_said(std::string_view bytes) {
  client_input_ += bytes;
  std::size_t used = 0;
  for (std::size_t end = 0; (end = client_input_.find("\r\n", used)) != std::string::npos;
       used = end + 2) {
    if (in_content_)
      content_line(std::string_view(client_input_).substr(used, end - used));
    else
      client_line(client_input_.substr(used, end - used));
  }
  client_input_.erase(0, used);
}

void Overheard::client_line(const std::string& line) {
  Question question;
  if (starts_with_ignoring_case(line, "MAIL FROM:")) {
    begin_transaction(line);
    question.asked = Asked::mail;
  } else if (starts_with_ignoring_case(line, "RCPT TO:")) {
    question = {Asked::rcpt, current_.recipients.size()};
    current_.recipients.push_back({path_in(line), {}, false});
  } else if (equal_ignoring_case(line, "DATA")) {
    question.asked = Asked::data;
  }
  questions_.push_back(question);
  show("C: " + printable(line, line_bytes_max));
}

void Overheard::begin_transaction(const std::string& line) {
  if (current_.has_sender) {
    finish();
    current_ = base_;
    current_.at = clock_.now() - beginning_;
  }
  current_.has_sender = true;
  current_.sender = path_in(line);
}

void Overheard::content_line(std::string_view line) {
  if (line == ".") {
    in_content_ = false;
    questions_.push_back({Asked::content, 0});
    show(fmt::format("C: ({} lines of message)", std::exchange(content_lines_, 0)));
    show("C: .");
    return;
  }
  ++content_lines_;
  if (line.starts_with('.')) line.remove_prefix(1);
  if (current_.content.size() + line.size() > content_bytes_max) return;
  current_.content += line;
  current_.content += "\r\n";
}

void Overheard::server_said(std::string_view bytes) {
  server_input_ += bytes;
  std::size_t used = 0;
  for (std::size_t end = 0; (end = server_input_.find("\r\n", used)) != std::string::npos;
       used = end + 2)
    server_line(server_input_.substr(used, end - used));
  server_input_.erase(0, used);
}

void Overheard::server_line(const std::string& line) {
  show("S: " + printable(line, line_bytes_max));
  if (line.size() > 3 && line[3] == '-') return;
  const Question question = questions_.empty() ? Question{} : questions_.front();
  if (!questions_.empty()) questions_.erase(questions_.begin());
  answered(question, printable(line, line_bytes_max));
}

void Overheard::answered(Question question, const std::string& reply) {
  const bool positive = reply.starts_with('2') || reply.starts_with('3');
  if (question.asked != Asked::other) current_.decided = clock_.now() - beginning_;
  if (question.asked == Asked::rcpt && question.recipient < current_.recipients.size())
    current_.recipients[question.recipient].reply = reply;
  if (question.asked == Asked::data && reply.starts_with("354")) in_content_ = true;
  const bool to_all =
      question.asked == Asked::content ||
      (!positive && (question.asked == Asked::mail || question.asked == Asked::data));
  if (!to_all) return;
  for (AttemptRecipient& recipient : current_.recipients) {
    if (!recipient.reply.empty() && !recipient.reply.starts_with('2')) continue;
    recipient.reply = reply;
    recipient.accepted = positive;
  }
}

void Overheard::finish() {
  if (current_.decided == Duration{}) current_.decided = clock_.now() - beginning_;
  told_ = true;
  listener_(std::move(current_));
}

void Overheard::over(std::string_view failure) {
  if (std::exchange(over_, true)) return;
  // A connection that was only kept open for more mail is no attempt.
  if (!current_.has_sender && told_) return;
  if (current_.outcome().empty() || !current_.has_sender || !questions_.empty())
    current_.failure = failure;
  finish();
}

std::string TappedNetwork::id_of(const IpAddress& address) const {
  const auto found = ids_.find(address);
  return found == ids_.end() ? address.text() : found->second;
}

io::Task<Result<std::unique_ptr<io::Stream>>> TappedNetwork::connect(Endpoint to,
                                                                     io::Deadline deadline,
                                                                     const IpAddress* from) {
  Attempt base;
  base.from_address = from == nullptr ? own_ : *from;
  base.from_host = id_of(own_);
  base.to_address = to.address;
  base.to_host = id_of(to.address);
  auto overheard = std::make_unique<Overheard>(clock_, beginning_, std::move(base), listener_);
  auto stream = co_await network_.connect(to, deadline, from);
  if (!stream) {
    overheard->over(failure_text(stream.error()));
    co_return fail(std::move(stream.error()));
  }
  co_return std::make_unique<TappedStream>(*std::move(stream), std::move(overheard));
}

}  // namespace postern::lab
