// Sessions of one engine, lent to one call at a time.
#pragma once

#include <burnish/runtime.h>

#include <memory>
#include <mutex>
#include <vector>

namespace burnish::python {

/// As many sessions as there were calls at once; the one used last is lent first, since its plans and
/// captured graphs are warm.
class SessionPool {
 public:
  explicit SessionPool(Engine engine) : engine_(std::move(engine)) {}
  const Engine& engine() const { return engine_; }

  /// Runs `body` with a session that nobody else uses meanwhile.
  template <class Body>
  auto with_session(Body&& body) {
    const Lease lease(*this);
    return body(*lease.session);
  }

 private:
  struct Lease {
    explicit Lease(SessionPool& owner) : pool(owner), session(owner.take()) {}
    ~Lease() {
      const std::lock_guard lock(pool.mutex_);
      pool.idle_.push_back(std::move(session));
    }
    Lease(const Lease&) = delete;

    SessionPool& pool;
    std::unique_ptr<Session> session;
  };

  std::unique_ptr<Session> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Session> session = std::move(idle_.back());
        idle_.pop_back();
        return session;
      }
    }
    return std::make_unique<Session>(engine_);
  }

  Engine engine_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Session>> idle_;
};

}  // namespace burnish::python
