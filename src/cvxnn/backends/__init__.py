"""Arrays of other libraries than numpy, by the array API standard, and the devices they are on."""
