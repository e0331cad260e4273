// What C++ adds to a stack: virtual calls, templates, exceptions that pass through frames with destructors, and work
// in a catch block and in a destructor while the stack unwinds. The truth is of the four functions' sum: the C++
// runtime's own work on the exceptions comes on top.
#include "workload.h"

#include <stdexcept>
#include <string>

namespace shapes {

static uint64_t units[4];

struct Shape {
    virtual ~Shape() = default;
    virtual void area() = 0;
};

struct Circle : Shape {
    FUNCTION void area() override
    {
        units[0]++;
        work(UNIT);
    }
};

struct Square : Shape {
    FUNCTION void area() override
    {
        units[1]++;
        work(UNIT);
    }
};

template <typename T> struct Fold {
    FUNCTION static void call(T shape)
    {
        shape->area();
        STAY();
    }
};

struct Guard {
    FUNCTION ~Guard()
    {
        units[2]++;
        work(UNIT);
    }
};

FUNCTION void throw_one(const std::string &text) { throw std::runtime_error(text); }

FUNCTION void with_guard(const std::string &text)
{
    Guard guard;
    throw_one(text);
    STAY();
}

FUNCTION void caught()
{
    units[3]++;
    work(UNIT);
}

FUNCTION void try_one()
{
    try {
        with_guard("a text that is too long for the small string");
    } catch (const std::runtime_error &) {
        caught();
    }
    STAY();
}

} // namespace shapes

int main(int argc, char **argv)
{
    using namespace shapes;
    uint64_t end = deadline_ns(argc, argv);
    Circle circle;
    Square square;
    do {
        for (int i = 0; i < 100; i++) {
            unsigned draw = random_below(10);
            if (draw < 5)
                Fold<Shape *>::call(&circle);
            else if (draw < 8)
                Fold<Shape *>::call(&square);
            else
                try_one();
        }
    } while (now_ns() < end);
    uint64_t all = units[0] + units[1] + units[2] + units[3];
    truth("shapes::Circle::area()", units[0], all);
    truth("shapes::Square::area()", units[1], all);
    truth("shapes::Guard::~Guard()", units[2], all);
    truth("shapes::caught()", units[3], all);
    cpu_seconds();
    return 0;
}
