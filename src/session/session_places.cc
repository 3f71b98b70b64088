#include "session/session_places.h"

namespace postern::session {

bool SessionPlaces::Place::take(const IpAddress& client, std::size_t max) {
  leave();
  std::uint32_t& taken = places_->taken_[client];
  if (taken >= max) return false;
  ++taken;
  client_ = client;
  taken_ = true;
  return true;
}

void SessionPlaces::Place::leave() {
  if (!std::exchange(taken_, false)) return;
  const auto of_client = places_->taken_.find(client_);
  if (--of_client->second == 0) places_->taken_.erase(of_client);
}

}  // namespace postern::session
