"""What a teacher asks of the classroom: how a class is doing, handouts, marks. Everything is read
and written on this machine, and nothing is sent anywhere."""
