#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "io/clock.h"
#include "io/network.h"
#include "lab/history.h"

namespace postern::lab {

/// Reads along on an SMTP connection from the client's side and tells each transaction as an
/// Attempt. Believes nobody: what it tells is what was on the wire.
class Overheard {
 public:
  using Listener = std::function<void(Attempt)>;

  /// `base` names the hosts and addresses. `listener` outlives this object.
  Overheard(const io::Clock& clock, SteadyTime beginning, Attempt base, const Listener& listener);

  void client_said(std::string_view bytes);
  void server_said(std::string_view bytes);
  /// The connection is over. `failure` says how when it broke.
  void over(std::string_view failure);

 private:
  enum class Asked : std::uint8_t { greeting, hello, mail, rcpt, data, content, other };
  struct Question {
    Asked asked = Asked::other;
    std::size_t recipient = 0;
  };
  void client_line(const std::string& line);
  void content_line(std::string_view line);
  void server_line(const std::string& line);
  void answered(Question question, const std::string& reply);
  void begin_transaction(const std::string& line);
  void finish();
  void show(std::string line);

  const io::Clock& clock_;
  SteadyTime beginning_;
  Attempt base_;
  const Listener& listener_;
  Attempt current_;
  std::string client_input_;
  std::string server_input_;
  std::vector<Question> questions_;  // without an answer yet
  std::size_t content_lines_ = 0;
  bool in_content_ = false;
  bool told_ = false;  // something of this connection has been told
  bool over_ = false;
};

/// A host's network that is listened to: connections it makes to port 25.
class TappedNetwork final : public io::Network {
 public:
  using Ids = std::map<IpAddress, std::string>;

  /// All outlive this object. `own` is the host's address.
  TappedNetwork(io::Network& network, const io::Clock& clock, SteadyTime beginning, IpAddress own,
                const Ids& ids, const Overheard::Listener& listener)
      : network_(network),
        clock_(clock),
        beginning_(beginning),
        own_(own),
        ids_(ids),
        listener_(listener) {}

  /// For connections made from now on.
  void set_beginning(SteadyTime beginning) { beginning_ = beginning; }

  Result<std::unique_ptr<io::Listener>> listen(Endpoint at) override { return network_.listen(at); }
  io::Task<Result<std::unique_ptr<io::Stream>>> connect(Endpoint to, io::Deadline deadline,
                                                        const IpAddress* from) override;
  Result<std::unique_ptr<io::Listener>> listen_local(std::string path) override {
    return network_.listen_local(std::move(path));
  }
  io::Task<Result<std::unique_ptr<io::Stream>>> connect_local(std::string path,
                                                              io::Deadline deadline) override {
    return network_.connect_local(std::move(path), deadline);
  }

 private:
  [[nodiscard]] std::string id_of(const IpAddress& address) const;

  io::Network& network_;
  const io::Clock& clock_;
  SteadyTime beginning_;
  IpAddress own_;
  const Ids& ids_;
  const Overheard::Listener& listener_;
};

}  // namespace postern::lab
