// Where C++ exceptions stop: none may unwind into Rust.

#include <cstdio>
#include <exception>
#include <stdexcept>

// Runs a call. Returns whether it threw, and writes the exception's text to `said`, cut to `room` bytes.
extern "C" bool magistrate_caught(void (*call)(void *), void *data, char *said, size_t room) {
    try {
        call(data);
        return false;
    } catch (const std::exception & thrown) {
        snprintf(said, room, "%s", thrown.what());
    } catch (...) {
        snprintf(said, room, "an exception without a text");
    }
    return true;
}

// Throws, for a test.
extern "C" void magistrate_throw(const char * text) {
    throw std::runtime_error(text);
}
