"""Networks of polynomial activation: neurons as factors of semidefinite matrices."""
