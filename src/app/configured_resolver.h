#pragma once

#include <memory>

#include "app/configuration.h"
#include "base/result.h"
#include "dns/unbound_resolver.h"
#include "dns/zone_resolver.h"
#include "io/real/real_descriptors.h"
#include "io/world.h"

namespace postern::app {

/// The resolver that [dns] describes: libunbound, and in front of it the zone files. Ends after its
/// lookups (dns::Resolver::stop) and before the world.
class ConfiguredResolver {
 public:
  /// Error: a zone file that does not read, or servers that cannot be used; for the operator.
  static Result<std::unique_ptr<ConfiguredResolver>> create(const io::World& world,
                                                            const Configuration::Dns& dns);
  [[nodiscard]] dns::Resolver& resolver() {
    return zones_ ? static_cast<dns::Resolver&>(*zones_) : *unbound_;
  }

 private:
  explicit ConfiguredResolver(const io::World& world) : descriptors_(world.executor) {}

  io::RealDescriptors descriptors_;
  std::unique_ptr<dns::UnboundResolver> unbound_;
  std::unique_ptr<dns::ZoneResolver> zones_;
};

}  // namespace postern::app
