#include "admin/control_client.h"

namespace postern::admin {

io::Task<Result<std::unique_ptr<ControlClient>>> ControlClient::connect(io::Network& network,
                                                                        std::string path,
                                                                        io::Deadline deadline) {
  CO_TRY(auto stream, co_await network.connect_local(std::move(path), deadline));
  co_return std::unique_ptr<ControlClient>(new ControlClient(std::move(stream)));
}

io::Task<Result<boost::json::object>> ControlClient::call(Request request, io::Deadline deadline) {
  const std::string line = format_request(request) + "\n";
  CO_TRY_VOID(co_await stream_->write_all(line, deadline));
  CO_TRY(const std::string reply, co_await lines_.next(deadline));
  co_return parse_reply(reply);
}

}  // namespace postern::admin
