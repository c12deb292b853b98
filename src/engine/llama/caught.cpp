// Where C++ exceptions stop: none may unwind into Rust.

#include <cstdio>
#include <exception>
#include <stdexcept>

// Runs a call. Returns true if it threw, and writes the exception's text to `message`, cut to `room` bytes.
extern "C" bool magistrate_caught(void (*call)(void *), void *data, char *message, size_t room) {
    try {
        call(data);
        return false;
    } catch (const std::exception & thrown) {
        snprintf(message, room, "%s", thrown.what());
    } catch (...) {
        snprintf(message, room, "an exception without a text");
    }
    return true;
}

// Throws, for a test.
extern "C" void magistrate_throw(const char * text) {
    throw std::runtime_error(text);
}
