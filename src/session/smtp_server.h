#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "io/notify.h"
#include "io/task_group.h"
#include "session/session.h"
#include "session/session_places.h"

namespace postern::session {

/// Receives mail: listeners, their accept loops, and the sessions. One for each shard, used on it
/// only. Bounds: Options::sessions_max sessions, sessions_per_client_max of one address; who comes
/// beyond them gets 421 at once. Survives running out of descriptors: it waits and accepts on.
class SmtpServer {
 public:
  /// What `ports` and `world` refer to outlives the server.
  SmtpServer(const io::World& world, Ports ports, SharedOptions options);
  /// After stop().
  ~SmtpServer();
  SmtpServer(const SmtpServer&) = delete;
  SmtpServer& operator=(const SmtpServer&) = delete;

  /// Offers STARTTLS to sessions that begin from now on; an empty function takes it back.
  void set_tls(StartTls start_tls) { start_tls_ = std::move(start_tls); }
  /// Holds for sessions that begin from now on.
  void set_options(SharedOptions options) { options_ = std::move(options); }

  /// Binds and accepts from now on. Errors as those of io::Network::listen. At most listeners_max.
  Result<> listen(Endpoint at);
  /// The same from a listener that the caller has bound, while it could still bind low ports.
  Result<> listen_on(std::unique_ptr<io::Listener> listener);
  /// Where it listens, with the ports that the system chose.
  [[nodiscard]] std::vector<Endpoint> endpoints() const;

  /// No more connections; 421 to sessions that wait for a command; those that receive data may
  /// finish it until `deadline`, then they are cut off. Resumes when all have ended. Called once.
  io::Task<> stop(io::Deadline deadline);

  struct Counts {
    std::uint64_t sessions = 0;     ///< now
    std::uint64_t accepted = 0;     ///< connections since start
    std::uint64_t turned_away = 0;  ///< of them, by a bound, before or after a proxy's word
  };
  [[nodiscard]] Counts counts() const;
  [[nodiscard]] const Metrics& metrics() const { return metrics_; }

  static constexpr std::size_t listeners_max = 64;

 private:
  using Sessions = std::list<std::shared_ptr<Session>>;

  io::Task<> accept_from(std::shared_ptr<io::Listener> listener);
  io::Task<> admit(std::unique_ptr<io::Stream> stream);
  io::Task<> serve(Sessions::iterator place);
  void forget(Sessions::iterator place);
  io::Task<> turn_away(std::unique_ptr<io::Stream> stream, std::string_view why);
  void log_turned_away(const io::Stream& stream, std::string_view why);

  io::World world_;
  Ports ports_;
  SharedOptions options_;
  StartTls start_tls_;
  BufferPool buffers_;
  std::vector<std::shared_ptr<io::Listener>> listeners_;
  SessionPlaces places_;
  Sessions sessions_;
  io::Notify session_ended_;
  io::TaskGroup tasks_;
  bool stopping_ = false;
  std::uint64_t accepted_ = 0;
  Metrics metrics_;
  LogLimit log_limit_;
};

}  // namespace postern::session
