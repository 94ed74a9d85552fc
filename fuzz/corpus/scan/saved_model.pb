

xReadFile